// What Batch, Lambda and EventBridge are sent, on clients of the SDK whose requests a script answers.

import * as batch from "@aws-sdk/client-batch";
import * as eventbridge from "@aws-sdk/client-eventbridge";
import * as lambda from "@aws-sdk/client-lambda";
import * as aws from "@sortie/platform-aws";
import { describe, expect, it } from "vitest";
import { identity } from "../aws/environment.ts";

/** The part of an SDK client that a script needs. */
interface Scripted {
  readonly middlewareStack: { add(middleware: never, options: { readonly step: "initialize" }): void };
}

/** Answers every command with the next of `answers`; returns what was sent. */
function script(client: Scripted, answers: object[]): [string, object][] {
  const sent: [string, object][] = [];
  const middleware =
    (_next: unknown, { commandName }: { readonly commandName: string }) =>
    async ({ input }: { readonly input: object }) => {
      sent.push([commandName, input]);
      return { response: {}, output: answers.shift() ?? {} };
    };
  client.middlewareStack.add(middleware as never, { step: "initialize" });
  return sent;
}

describe("Batch on the SDK", () => {
  it("submits one attempt with the size and the environment of the job", async () => {
    const client = new batch.BatchClient(identity);
    const sent = script(client, [{ jobId: "b1" }]);
    const id = await aws.batchApi({}, client).submit(
      {
        name: "sortie-j-1",
        queue: "q",
        definition: "d",
        size: { vcpus: 2, memoryMiB: 4096 },
        environment: { SORTIE_JOB_ID: "j" },
        shareIdentifier: "s",
      },
      undefined,
    );
    expect(id).toBe("b1");
    expect(sent).toEqual([
      [
        "SubmitJobCommand",
        {
          jobName: "sortie-j-1",
          jobQueue: "q",
          jobDefinition: "d",
          retryStrategy: { attempts: 1 },
          shareIdentifier: "s",
          containerOverrides: {
            environment: [{ name: "SORTIE_JOB_ID", value: "j" }],
            resourceRequirements: [
              { type: "VCPU", value: "2" },
              { type: "MEMORY", value: "4096" },
            ],
          },
        },
      ],
    ]);
    client.destroy();
  });

  it("finds jobs by the beginning of their names, page after page, and by their ids", async () => {
    const client = new batch.BatchClient(identity);
    const summary = (id: string) => ({ jobId: id, jobName: `sortie-j-${id}`, status: "RUNNING" });
    const sent = script(client, [
      { jobSummaryList: [summary("1")], nextToken: "more" },
      { jobSummaryList: [summary("2")] },
      { jobs: [summary("1")] },
      { jobs: [] },
      {},
    ]);
    const api = aws.batchApi({}, client);
    expect((await api.named("q", "sortie-j-", undefined)).map(({ id }) => id)).toEqual(["1", "2"]);
    expect(sent.map(([, input]) => input)).toEqual([
      { jobQueue: "q", filters: [{ name: "JOB_NAME", values: ["sortie-j-*"] }], nextToken: undefined },
      { jobQueue: "q", filters: [{ name: "JOB_NAME", values: ["sortie-j-*"] }], nextToken: "more" },
    ]);
    expect(await api.describe("1", undefined)).toEqual({ id: "1", name: "sortie-j-1", status: "RUNNING" });
    expect(await api.describe("9", undefined)).toBeUndefined();
    await api.terminate("1", "stopped", undefined);
    expect(sent.at(-1)).toEqual(["TerminateJobCommand", { jobId: "1", reason: "stopped" }]);
    client.destroy();
  });
});

describe("Lambda on the SDK", () => {
  it("starts the function and does not wait for it", async () => {
    const client = new lambda.LambdaClient(identity);
    const sent = script(client, [{}]);
    await aws.functionApi({}, client).invoke("solve", '{"jobId":"j"}', undefined);
    expect(sent).toEqual([
      ["InvokeCommand", { FunctionName: "solve", InvocationType: "Event", Payload: Buffer.from('{"jobId":"j"}') }],
    ]);
    client.destroy();
  });
});

describe("EventBridge on the SDK", () => {
  it("puts one entry, and tells why the bus did not take it", async () => {
    const client = new eventbridge.EventBridgeClient(identity);
    const sent = script(client, [
      { FailedEntryCount: 0, Entries: [{ EventId: "1" }] },
      { FailedEntryCount: 1, Entries: [{ ErrorCode: "InternalFailure" }] },
    ]);
    const api = aws.eventBridgeApi({}, client);
    const entry = { bus: "jobs", source: "sortie", detailType: "Job Queued", detail: "{}", time: 1000 };
    expect(await api.putEvent(entry, undefined)).toBeUndefined();
    expect(await api.putEvent(entry, undefined)).toBe("InternalFailure");
    expect(sent[0]).toEqual([
      "PutEventsCommand",
      {
        Entries: [
          { EventBusName: "jobs", Source: "sortie", DetailType: "Job Queued", Detail: "{}", Time: new Date(1000) },
        ],
      },
    ]);
    client.destroy();
  });
});
