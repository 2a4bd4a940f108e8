// Webhooks of a deployment, on a table of DynamoDB (emulated): told by whichever function attends to the job, each event once,
// though the stream's records come twice; a receiver that is down is told by the sweep.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  type Context,
  cancelJob,
  getJob,
  jobIdFor,
  type NewJob,
  submitJob,
  WebhookCourier,
  webhookSecret,
} from "@sortie/core";
import { openAws, readAwsSettings } from "@sortie/platform-aws";
import { createWebhookSender } from "@sortie/webhooks";
import { Webhook } from "standardwebhooks";
import { expect, it, onTestFinished } from "vitest";
import { testTables } from "../test/aws/dynamo.ts";
import { createDispatchFunction } from "./lib/dispatch-function.ts";
import { createLog } from "./lib/log.ts";
import { createSweepFunction } from "./lib/sweep-function.ts";

const openTable = testTables();
const MASTER = "the master secret of a deployment";
const alice = { tenant: "alice" };

async function open() {
  const { table, newClient } = await openTable();
  const settings = readAwsSettings({ SORTIE_TABLE: table, SORTIE_BUCKET: "none", SORTIE_SOLVE_FUNCTION: "solve" });
  let ahead = 0;
  const context: Context = {
    ...openAws(settings, {
      onFault: (what, error) => {
        throw new Error(what, { cause: error });
      },
      clock: { now: () => Date.now() + ahead, sleep: () => Promise.resolve() },
      clients: {
        dynamodb: newClient(),
        s3: {} as never,
        batch: { submit: async () => "" } as never,
        lambda: { invoke: async () => {} },
      },
    }),
    // On loopback, which only development allows.
    webhooks: new WebhookCourier(createWebhookSender({ masterSecret: MASTER, allowPrivate: true })),
  };
  const sweeping = createSweepFunction({ context, settings, log: createLog(() => {}) });
  return {
    context,
    dispatch: createDispatchFunction(context),
    sweep: () => sweeping({}, { getRemainingTimeInMillis: () => 60_000 }),
    pass: (ms: number) => {
      ahead += ms;
    },
  };
}

async function openReceiver(answer: () => number) {
  const seen: { type: string; verified: unknown }[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const webhook = new Webhook(webhookSecret(MASTER, "alice"));
    seen.push({
      type: JSON.parse(body).type,
      verified: webhook.verify(body, request.headers as Record<string, string>),
    });
    response.writeHead(answer()).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

async function submit(context: Context, webhook: string): Promise<string> {
  const job: NewJob = { needs: { kind: "lp", memoryBytes: 1e6, elements: 1, usesGpu: false }, work: {}, webhook };
  const jobId = jobIdFor(context, alice, job);
  await submitJob(context, alice, jobId, job, async () => ({ kind: "stored", arrays: [] }), context.clock.now());
  return jobId;
}

const recordOf = (jobId: string) => ({
  dynamodb: { Keys: { pk: { S: `job#${jobId}` }, sk: { S: "job" } }, SequenceNumber: "1" },
});

it("the dispatch function tells the webhook and waits until that is done", async () => {
  const { context, dispatch } = await open();
  const { seen, url } = await openReceiver(() => 204);
  const jobId = await submit(context, url);
  const event = { Records: [recordOf(jobId), recordOf(jobId)] };
  await dispatch(event);
  expect(seen.map(({ type }) => type)).toEqual(["Job Queued"]);
  await cancelJob(context, alice, jobId);
  await dispatch(event);
  await dispatch(event);
  expect(seen).toMatchObject([
    { type: "Job Queued", verified: { jobId, tenant: "alice", attempt: 0 } },
    { type: "Job Cancelled", verified: { jobId, tenant: "alice" } },
  ]);
  expect((await getJob(context, alice, jobId))?.webhooks.size).toBe(0);
});

it("the sweep tells a receiver that was down", async () => {
  const { context, dispatch, sweep, pass } = await open();
  let up = false;
  const { seen, url } = await openReceiver(() => (up ? 204 : 503));
  const jobId = await submit(context, url);
  await dispatch({ Records: [recordOf(jobId)] });
  expect((await getJob(context, alice, jobId))?.webhook).toMatchObject({
    failures: 1,
    note: expect.stringContaining("the answer was 503"),
  });
  await sweep();
  expect(seen).toHaveLength(1);
  up = true;
  pass(10_000);
  await sweep();
  expect(seen).toHaveLength(2);
  expect(seen[1]).toEqual(seen[0]);
  expect((await getJob(context, alice, jobId))?.webhook).toMatchObject({ failures: 0, note: undefined });
});
