// The client's helpers against a real server that is lost now and then: what was asked for happens once, and a wait goes on.
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SortieClient } from "@sortie/client";
import { connect, transportTo } from "@sortie/client/node";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { messageOf } from "../client/messages.ts";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import { longMip, TINY_LP_OBJECTIVE, tinyLp } from "../conformance/models.ts";
import { until } from "../conformance/until.ts";

let server: EmbeddedServer;
beforeAll(async () => {
  server = await new EmbeddedServer(["--workers", "1"]).start();
});
afterAll(() => server.dispose());

interface Proxy {
  readonly url: string;
  /** Methods whose answers were lost. */
  readonly lost: string[];
}

/** Stands before the server, and loses the first answer of each of these methods on its way back. */
async function openProxy(methods: readonly string[]): Promise<Proxy> {
  const lost: string[] = [];
  const forward = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const method = incoming.url?.split("/").at(-1) ?? "";
    const { url: path = "/", headers } = incoming;
    const onward = request({ port: server.port, method: "POST", path, headers }, (answer) => {
      if (methods.includes(method) && !lost.includes(method)) {
        lost.push(method);
        answer.resume();
        outgoing.destroy();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  };
  const proxy = createServer(forward);
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  });
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, lost };
}

const idsOf = async (client: SortieClient): Promise<string[]> =>
  (await Array.fromAsync(client.jobs())).map(({ id }) => id);

describe("answers that are lost", () => {
  it.each([
    ["one message", undefined, ["SubmitJob", "WaitForCompletion", "GetResult"]],
    ["chunks", 0, ["StartChunkedUpload", "SendArrayChunk", "FinishChunkedUpload", "WaitForCompletion"]],
  ])("of a problem in %s make no second job, and the solve goes on", async (_, unaryUpToBytes, methods) => {
    const proxy = await openProxy(methods);
    await using client = await connect({ address: proxy.url, unaryUpToBytes, parallelChunks: 1 });
    expect(client.server).toMatchObject({ isSortie: true });
    const before = await idsOf(client);
    const { jobId, result } = await client.solve(messageOf(tinyLp()), { keep: true });
    expect(result).toMatchObject({ kind: "lp", scalars: { primalObjective: expect.closeTo(TINY_LP_OBJECTIVE, 6) } });
    expect(proxy.lost.toSorted()).toEqual(methods.toSorted());
    expect((await idsOf(client)).filter((id) => !before.includes(id))).toEqual([jobId]);
    expect(await client.delete(jobId)).toMatchObject({ deleted: true });
  });

  it("of a single call are its caller's, and nothing is sent again", async () => {
    const proxy = await openProxy(["SubmitJob"]);
    await using client = await connect({ address: proxy.url });
    const before = await idsOf(client);
    await expect(client.submit(messageOf(tinyLp()))).rejects.toMatchObject({ method: "SubmitJob" });
    const made = (await idsOf(client)).filter((id) => !before.includes(id));
    expect(made).toHaveLength(1);
    await client.delete(String(made[0]));
  });
});

describe.each(["grpc", "connect"] as const)("over %s a wait", (protocol) => {
  it("goes on when the server was killed and starts anew, with its log and its incumbents", async () => {
    await using client = await connect({ address: `localhost:${server.port}`, protocol });
    const problem = messageOf(longMip(), { settings: { time_limit: 4 } });
    const lines: string[] = [];
    const offsets: number[] = [];
    const indices: number[] = [];
    const solved = client.solve(problem, {
      onLog: ({ text, byteOffset }) => {
        lines.push(text);
        offsets.push(byteOffset);
      },
      onIncumbent: ({ index }) => indices.push(index),
    });
    // Its rejection is looked at below.
    solved.catch(() => {});
    await until(() => lines.length > 3, "the solve has begun to tell");
    await server.kill();
    await server.start();
    const { result, status } = await solved;
    expect(status.state).toBe("completed");
    expect(result.kind).toBe("mip");
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    expect(new Set(offsets).size).toBe(offsets.length);
    expect(indices).toEqual(indices.map((_, at) => at));
    expect(indices.length).toBeGreaterThan(0);
  });
});

it("a client that is closed ends what runs, and its server hears of it", async () => {
  const transport = transportTo({ address: `localhost:${server.port}` });
  const client = new SortieClient(transport, { dispose: () => transport.close() });
  await client.connect();
  const jobId = await client.submit(messageOf(longMip(), { settings: { time_limit: 60 } }));
  const following = Array.fromAsync(client.logs(jobId));
  const refused = expect(following).rejects.toThrow("the client is closed");
  await until(async () => (await server.openStreams()) === 1, "the log is followed");
  await client.close();
  await refused;
  await until(async () => (await server.openStreams()) === 0, "the stream has ended");
  await using other = await connect(`localhost:${server.port}`);
  await other.cancel(jobId);
});
