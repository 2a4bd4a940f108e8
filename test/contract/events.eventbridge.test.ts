// Job events on EventBridge, over HTTP as they go: to a stand-in of the bus that keeps them, or to the endpoint from outside.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import * as eventbridge from "@aws-sdk/client-eventbridge";
import type { JobEvent } from "@sortie/core";
import * as aws from "@sortie/platform-aws";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshName, identity, outsideEndpoint } from "../aws/environment.ts";

interface Bus {
  readonly endpoint: string;
  readonly name: string;
  /** What came; undefined where nobody can look into the bus. */
  readonly received: readonly Record<string, string>[] | undefined;
}

async function openBus(): Promise<Bus> {
  const name = freshName("bus");
  if (outsideEndpoint !== undefined) {
    const client = new eventbridge.EventBridgeClient({ ...identity, endpoint: outsideEndpoint });
    await client.send(new eventbridge.CreateEventBusCommand({ Name: name }));
    onTestFinished(async () => {
      await client.send(new eventbridge.DeleteEventBusCommand({ Name: name }));
      client.destroy();
    });
    return { endpoint: outsideEndpoint, name, received: undefined };
  }
  const received: Record<string, string>[] = [];
  const server = createServer(async (request, response) => {
    const { Entries } = (await json(request)) as { Entries: Record<string, string>[] };
    received.push(...Entries);
    const answer = { FailedEntryCount: 0, Entries: Entries.map(() => ({ EventId: "1" })) };
    response.writeHead(200, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, name, received };
}

const event: JobEvent = {
  id: "7d6f5a1e-5f0c-4f57-8f0e-0a8d1b2c3d4e",
  type: "Job Completed",
  jobId: "0f6f5a1e-5f0c-4f57-8f0e-0a8d1b2c3d4e",
  tenant: "somebody",
  at: 1_800_000_000_000,
  detail: { kind: "lp", attempt: 1 },
};

describe("Events on EventBridge", () => {
  it("are taken by the bus, each with its id, as often as they are told", async () => {
    const { endpoint, name, received } = await openBus();
    using api = aws.eventBridgeApi({ ...identity, endpoint });
    const events = new aws.EventBridgeEvents(api, name);
    await events.publish(event);
    await events.publish(event);
    if (!received) return;
    expect(received).toHaveLength(2);
    for (const entry of received) {
      expect(entry).toMatchObject({ EventBusName: name, Source: "sortie", DetailType: "Job Completed" });
      expect(JSON.parse(entry["Detail"] ?? "")).toMatchObject({ id: event.id, jobId: event.jobId, tenant: "somebody" });
    }
  });
});
