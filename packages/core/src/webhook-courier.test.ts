// Events and webhooks of jobs, on tables in memory and a clock that tests move: told in order, at least once, for a day.
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import {
  cancelJob,
  claimJob,
  deleteJob,
  getJob,
  JOB_EVENT_SCHEMA,
  type JobEventBody,
  jobEventBody,
  sweep,
  WebhookCourier,
  type WebhookMessage,
  type WebhookSender,
} from "./index.ts";
import { anyCaller, openWorld, submit, type World } from "./testing/world.ts";

const URL_OF_HOOK = "https://hooks.example/job";

/** A receiver that answers as it is told. */
class Receiver implements WebhookSender {
  readonly allowPrivate = false;
  readonly seen: JobEventBody[] = [];
  answer: (message: WebhookMessage) => number | Promise<number> = () => 204;

  async send(message: WebhookMessage): Promise<number> {
    this.seen.push(JSON.parse(message.body));
    return this.answer(message);
  }
  async [Symbol.asyncDispose](): Promise<void> {}

  get types(): string[] {
    return this.seen.map(({ type }) => type);
  }
}

interface Hooked extends World {
  readonly webhooks: WebhookCourier;
}

function openHooked(): { readonly world: Hooked; readonly receiver: Receiver } {
  const receiver = new Receiver();
  return { world: { ...openWorld(), webhooks: new WebhookCourier(receiver, () => 1) }, receiver };
}

/** Sweeps as a server does while `ms` pass, in steps of half a second. */
async function pass(world: Hooked, ms: number, step = 500): Promise<void> {
  for (let passed = 0; passed <= ms; passed += step) {
    await sweep(world);
    await world.webhooks.idle();
    if (passed < ms) await world.clock.advance(step);
  }
}

const HOUR = 3_600_000;

async function complete(world: World, id: string): Promise<void> {
  const attempt = await claimJob(world, id, "w");
  await attempt?.complete({ message: "", arrays: [], status: "optimal", objective: -1.5 }, { load: 0.1, solve: 2 });
}

describe("the webhook of a job", () => {
  it("is told of everything that happens to the job, once and in order, and the row is clean then", async () => {
    const { world, receiver } = openHooked();
    const id = await submit(world, { webhook: URL_OF_HOOK });
    await complete(world, id);
    await pass(world, 2_000);
    expect(receiver.types).toEqual(["Job Queued", "Job Started", "Job Completed"]);
    expect(new Set(receiver.seen.map((body) => body.id)).size).toBe(3);
    const job = await getJob(world, anyCaller, id);
    expect(job?.webhooks.size).toBe(0);
    expect(job?.webhook).toEqual({ url: URL_OF_HOOK, at: undefined, failures: 0, note: undefined });
    expect(world.faults).toEqual([]);
  });

  it("gets the same bodies that the bus gets, as the schema says", async () => {
    const { world, receiver } = openHooked();
    await complete(world, await submit(world, { webhook: URL_OF_HOOK, inboxFile: "plans/a.mps" }));
    const cancelled = await submit(world, { webhook: URL_OF_HOOK });
    await cancelJob(world, anyCaller, cancelled);
    const failed = await submit(world, { webhook: URL_OF_HOOK });
    await (await claimJob(world, failed, "w"))?.fail("no memory");
    await pass(world, 1_000);
    const order = (a: JobEventBody, b: JobEventBody) => (a.id < b.id ? -1 : 1);
    expect(receiver.seen.toSorted(order)).toEqual(
      world.events.published.map((event) => JSON.parse(JSON.stringify(jobEventBody(event)))).toSorted(order),
    );
    const validate = new Ajv2020({ formats: { "date-time": true } }).compile(JOB_EVENT_SCHEMA);
    for (const body of receiver.seen) expect(validate(body), JSON.stringify(validate.errors)).toBe(true);
    expect(receiver.seen.find(({ type }) => type === "Job Completed")).toMatchObject({
      version: 1,
      time: "2026-01-01T00:00:00.000Z",
      tenant: "local",
      kind: "mip",
      placement: "cpu",
      attempt: 1,
      timings: { load: 0.1, solve: 2 },
      status: "optimal",
      objective: -1.5,
      inboxFile: "plans/a.mps",
    });
    expect(receiver.seen.find(({ type }) => type === "Job Failed")).toMatchObject({ failure: "no memory" });
  });

  it("is told late what held when it happened", async () => {
    const { world, receiver } = openHooked();
    receiver.answer = () => 503;
    const id = await submit(world, { webhook: URL_OF_HOOK });
    await pass(world, 0);
    await complete(world, id);
    receiver.answer = () => 200;
    await pass(world, 10_000);
    const [first, again] = receiver.seen;
    expect(again).toEqual(first);
    expect(first).toMatchObject({ type: "Job Queued", attempt: 0 });
    expect(first).not.toHaveProperty("status");
    expect(first?.timings).toEqual({ transfer: 0 });
  });

  it("is tried again after longer and longer pauses, and given up after a day, with a note", async () => {
    const { world, receiver } = openHooked();
    const times: number[] = [];
    const start = world.clock.now();
    receiver.answer = () => {
      times.push((world.clock.now() - start) / 1000);
      throw new Error("connection refused");
    };
    const id = await submit(world, { webhook: URL_OF_HOOK });
    await cancelJob(world, anyCaller, id);
    await pass(world, 120_000);
    expect(times).toHaveLength(4);
    expect(times[1]).toBeGreaterThanOrEqual(5);
    expect(times[2]).toBeGreaterThanOrEqual(25);
    expect((await getJob(world, anyCaller, id))?.webhook?.note).toMatch(/connection refused; the next one is at 2026/);
    await pass(world, 27 * HOUR, 300_000);
    const job = await getJob(world, anyCaller, id);
    expect(job?.webhook?.note).toMatch(/given up after 24 hours: connection refused/);
    expect(job?.webhooks.size).toBe(0);
    const tries = times.length;
    expect(tries).toBeLessThan(40);
    await pass(world, 3 * HOUR, 300_000);
    expect(times).toHaveLength(tries);
  });

  it("is not told any more once it says that it is gone", async () => {
    const { world, receiver } = openHooked();
    receiver.answer = () => 410;
    const id = await submit(world, { webhook: URL_OF_HOOK });
    await pass(world, 1_000);
    await complete(world, id);
    await pass(world, 60_000);
    expect(receiver.types).toEqual(["Job Queued"]);
    expect((await getJob(world, anyCaller, id))?.webhook?.note).toContain("410");
  });

  it.each([301, 400, 404, 429, 500])("is tried again after the answer %i", async (status) => {
    const { world, receiver } = openHooked();
    receiver.answer = () => (receiver.seen.length === 1 ? status : 200);
    await submit(world, { webhook: URL_OF_HOOK });
    await pass(world, 6_000);
    expect(receiver.types).toEqual(["Job Queued", "Job Queued"]);
  });

  it("that is dead or slow holds up neither the bus, nor other jobs, nor the sweep", async () => {
    const { world, receiver } = openHooked();
    const never = Promise.withResolvers<number>();
    receiver.answer = ({ url }) => (url.includes("slow") ? never.promise : 200);
    for (let i = 0; i < 30; i++) await submit(world, { webhook: "https://slow.example/" });
    const id = await submit(world, { webhook: URL_OF_HOOK });
    await sweep(world);
    await complete(world, id);
    await sweep(world);
    await world.clock.advance(10);
    expect(world.events.published.filter(({ type }) => type === "Job Queued")).toHaveLength(31);
    expect(receiver.seen.filter(({ jobId }) => jobId === id).map(({ type }) => type)).toContain("Job Queued");
    expect(receiver.seen.filter(({ jobId }) => jobId !== id)).toHaveLength(4);
    never.resolve(200);
    await pass(world, 40_000);
    expect(receiver.seen.filter(({ jobId }) => jobId !== id)).toHaveLength(30);
  });

  it("is told of a deleted job too, whose row goes after that", async () => {
    const { world, receiver } = openHooked();
    receiver.answer = () => 500;
    const id = await submit(world, { webhook: URL_OF_HOOK });
    await pass(world, 0);
    await deleteJob(world, anyCaller, id);
    await pass(world, 2_000);
    expect(world.blobs.keys).toEqual([]);
    receiver.answer = () => 200;
    await pass(world, 10_000);
    expect(receiver.types.slice(-2)).toEqual(["Job Queued", "Job Cancelled"]);
    expect(world.table.rows.filter(({ sk }) => sk === "job")).toEqual([]);
  });

  it("misses nothing that the bus could not be told before the job was deleted", async () => {
    const { world, receiver } = openHooked();
    const id = await submit(world, { webhook: URL_OF_HOOK });
    world.events.failing = true;
    await pass(world, 0);
    await deleteJob(world, anyCaller, id);
    await pass(world, 2_000);
    expect(world.blobs.keys).toEqual([]);
    world.events.failing = false;
    await pass(world, 10_000);
    expect(receiver.types).toEqual(["Job Queued", "Job Cancelled"]);
    expect(world.table.rows.filter(({ sk }) => sk === "job")).toEqual([]);
  });

  it("is taken up by another process when the one that was at it is gone", async () => {
    const { world, receiver } = openHooked();
    receiver.answer = () => new Promise<number>(() => {});
    await submit(world, { webhook: URL_OF_HOOK });
    await sweep(world);
    const next = new Receiver();
    const second: Hooked = { ...world, webhooks: new WebhookCourier(next) };
    await sweep(second);
    await second.webhooks.idle();
    expect(next.seen).toEqual([]);
    await pass(second, 30_000);
    expect(next.types).toEqual(["Job Queued"]);
    expect(next.seen).toEqual(receiver.seen);
  });

  it("that is being told when the process stops is told by the next one at once", async () => {
    const { world, receiver } = openHooked();
    const stopped: WebhookSender = {
      allowPrivate: false,
      send: (_, options) =>
        new Promise((_resolve, reject) =>
          options?.signal?.addEventListener("abort", () => reject(new Error("stopped"))),
        ),
      [Symbol.asyncDispose]: async () => {},
    };
    const first = new WebhookCourier(stopped);
    await submit(world, { webhook: URL_OF_HOOK });
    await sweep({ ...world, webhooks: first });
    await first.close();
    await pass(world, 1_000);
    expect(receiver.types).toEqual(["Job Queued"]);
  });

  it("is refused at submission where it cannot be, and nothing is stored", async () => {
    const { world } = openHooked();
    await expect(submit(world, { webhook: "https://10.0.0.1/" })).rejects.toMatchObject({ reason: "invalid-argument" });
    await expect(submit({ ...world, webhooks: undefined } as never, { webhook: URL_OF_HOOK })).rejects.toMatchObject({
      reason: "feature-unsupported",
      message: expect.stringContaining("sortie-webhook"),
    });
    expect(world.blobs.keys).toEqual([]);
  });
});
