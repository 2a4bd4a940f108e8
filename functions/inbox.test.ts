// The inbox of a bucket on emulators: objects become jobs, jobs become answers, and a notice that comes twice changes nothing.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { attendJob, type Context, listJobs } from "@sortie/core";
import { type EventEntry, openAws, readAwsSettings, S3Files } from "@sortie/platform-aws";
import { openRunners, runJob } from "@sortie/worker";
import { beforeAll, describe, expect, it } from "vitest";
import { testTables } from "../test/aws/dynamo.ts";
import { testBuckets } from "../test/aws/s3.ts";
import { createInboxFunction, type InboxFunction } from "./lib/inbox-function.ts";
import { createLog } from "./lib/log.ts";

const openTable = testTables();
const openBucket = testBuckets();
const AFIRO = readFileSync(fileURLToPath(new URL("../test/data/lp/afiro.mps.gz", import.meta.url)));
const EGOUT = readFileSync(fileURLToPath(new URL("../test/data/lp/egout.mps.gz", import.meta.url)));

let client: S3Client;
let bucket: string;
let context: Context;
let handler: InboxFunction;
const onBus: EventEntry[] = [];
const faults: unknown[] = [];

beforeAll(async () => {
  const [table, store] = [await openTable(), await openBucket()];
  client = store.newClient();
  bucket = store.bucket;
  const settings = readAwsSettings({
    SORTIE_TABLE: table.table,
    SORTIE_BUCKET: bucket,
    SORTIE_SOLVE_FUNCTION: "solve",
    SORTIE_EVENT_BUS: "bus",
  });
  const never = async () => {
    throw new Error("there is no Batch here");
  };
  context = openAws(settings, {
    onFault: (_, error) => faults.push(error),
    clients: {
      dynamodb: table.newClient(),
      s3: client,
      batch: { submit: never, terminate: never, describe: never, named: never } as never,
      lambda: { invoke: async () => {} },
      eventBridge: {
        putEvent: async (entry) => {
          onBus.push(entry);
          return undefined;
        },
      },
    },
  });
  const files = new S3Files({ bucket, client });
  handler = createInboxFunction({ context, files, memoryBytes: 64 * 2 ** 20, log: createLog(() => {}) });
});

let puts = 0;
/** Puts an object. @returns the notice that the bucket would send */
async function put(key: string, body: Uint8Array | string) {
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  puts += 1;
  const object = {
    key: encodeURIComponent(key).replaceAll("%2F", "/").replaceAll("%20", "+"),
    size: body.length,
    eTag: "etag",
    sequencer: String(puts).padStart(18, "0"),
  };
  return { Records: [{ eventName: "ObjectCreated:Put", s3: { object } }] };
}

async function read(key: string): Promise<string> {
  const found = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await found.Body?.transformToString()) ?? "";
}

async function keys(prefix: string): Promise<string[]> {
  const found = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return (found.Contents ?? []).map(({ Key }) => String(Key)).sort();
}

const jobsOf = async (tenant: string) => (await listJobs(context, { tenant }, { limit: 100 })).jobs;

/** Runs the job to its end and hands the bus's events to the function, each of them twice. */
async function finish(jobId: string): Promise<void> {
  await using runners = await openRunners();
  const onFault = (_: string, error: unknown) => faults.push(error);
  const signal = new AbortController().signal;
  await runJob(context, jobId, "worker", runners.byKind, { placement: "inline", onFault, signal });
  onBus.length = 0;
  await attendJob(context, jobId);
  for (const { source, detailType, detail } of onBus) {
    const event = { source, "detail-type": detailType, detail: JSON.parse(detail) };
    await handler(event);
    await handler(event);
  }
}

describe("an object under inbox/", () => {
  it("is a job of the tenant that its key names, solved, with its answer under outbox/", async () => {
    await put("inbox/alice/plans/week 1/afiro.json", '{"time_limit": 60}');
    const notice = await put("inbox/alice/plans/week 1/afiro.mps.gz", AFIRO);
    await handler(notice);
    await handler(notice);
    const jobs = await jobsOf("alice");
    expect(jobs).toMatchObject([{ kind: "lp", inboxFile: "alice/plans/week 1/afiro.mps.gz" }]);
    await finish(String(jobs[0]?.id));
    const at = "outbox/alice/plans/week 1/afiro/afiro";
    expect(await keys("outbox/alice/")).toEqual([`${at}.json`, `${at}.log`, `${at}.sol`]);
    expect(JSON.parse(await read(`${at}.json`))).toMatchObject({
      file: "alice/plans/week 1/afiro.mps.gz",
      jobId: jobs[0]?.id,
      state: "completed",
      status: "optimal",
      objective: expect.closeTo(-464.7531428571, 6),
    });
    expect(await read(`${at}.sol`)).toMatch(/^# Status: Optimal\n# Objective value: -464\.753.*\nX01 80/);
    expect(await read(`${at}.log`)).toContain("27 rows, 32 columns");
    // Once more, when all is over: still one job, and the answer stays.
    await handler(notice);
    expect(await jobsOf("alice")).toHaveLength(1);
    expect(await keys("outbox/alice/")).toHaveLength(3);
    expect(faults).toEqual([]);
  });

  it("is one job when two notices of it come at once", async () => {
    const notice = await put("inbox/bob/egout.mps.gz", EGOUT);
    await Promise.all([handler(notice), handler(notice), handler(notice)]);
    expect(await jobsOf("bob")).toMatchObject([{ kind: "mip" }]);
  });

  it("is another job when it is put again, and when the notice comes by the bus", async () => {
    await handler(await put("inbox/carol/a.mps.gz", AFIRO));
    await put("inbox/carol/a.mps.gz", AFIRO);
    const object = { key: "inbox/carol/a.mps.gz", size: AFIRO.length, etag: "etag", sequencer: "later" };
    await handler({ source: "aws.s3", "detail-type": "Object Created", detail: { object } });
    expect(await jobsOf("carol")).toHaveLength(2);
  });

  it("that is broken, too large or of nobody gets an error and holds up nobody else", async () => {
    const broken = await put("inbox/dave/broken.mps", "NAME x\nROWS\n Q cost\n");
    const foreign = await put("inbox/dave/other.nl", "g3 1 1 0");
    await put("inbox/dave/settings.json", '{"time_limt": 60}');
    const settings = await put("inbox/dave/settings.mps.gz", AFIRO);
    const nobody = await put("inbox/nobody.mps", "NAME");
    const large = await put("inbox/dave/large.mps", "NAME");
    const big = large.Records.map(({ eventName, s3 }) => ({ eventName, s3: { object: { ...s3.object, size: 1e9 } } }));
    const good = await put("inbox/dave/good.mps.gz", AFIRO);
    await handler({
      Records: [...broken.Records, ...foreign.Records, ...settings.Records, ...nobody.Records, ...big, ...good.Records],
    });
    expect(await jobsOf("dave")).toMatchObject([{ inboxFile: "dave/good.mps.gz" }]);
    expect(await read("outbox/dave/broken/broken.error.json")).toContain("line 3, column");
    expect(await read("outbox/dave/other/other.error.json")).toContain(".mps, .qps and .lp are");
    expect(await read("outbox/dave/settings/settings.error.json")).toContain("did you mean time_limit?");
    expect(await read("outbox/dave/large/large.error.json")).toContain("at most 16777216");
    expect(await read("outbox/nobody/nobody.error.json")).toContain("inbox/TENANT/");
  });

  it("that is no model, or lies elsewhere, is nobody's business", async () => {
    for (const key of ["inbox/erin/a.json", "inbox/erin/notes.txt", "outbox/erin/a.mps", "jobs/erin/a.mps"]) {
      await handler(await put(key, "{}"));
    }
    await handler({ Event: "s3:TestEvent" });
    expect(await jobsOf("erin")).toEqual([]);
    expect(await keys("outbox/erin/")).toEqual(["outbox/erin/a.mps"]);
  });

  it("is told of again while the queue is full", async () => {
    const full = { ...context, limits: { ...context.limits, jobs: 0 } };
    const files = new S3Files({ bucket, client });
    const busy = createInboxFunction({ context: full, files, memoryBytes: 2 ** 30, log: createLog(() => {}) });
    const notice = await put("inbox/frank/a.mps.gz", AFIRO);
    await expect(busy(notice)).rejects.toMatchObject({ reason: "queue-full" });
    await handler(notice);
    expect(await jobsOf("frank")).toHaveLength(1);
  });
});
