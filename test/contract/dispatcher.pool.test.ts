// The pool of worker processes keeps the promises of the port, and those of the embedded platform: workers are killed
// here, servers too.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DispatchRequest } from "@sortie/core";
import {
  type ExitInfo,
  identityOf,
  ProcessPoolDispatcher,
  type ProcessPoolOptions,
  workerLogFile,
} from "@sortie/platform-local";
import { afterEach, describe, expect, it } from "vitest";
import { describeDispatcher } from "./dispatcher.suite.ts";
import { StubJobs } from "./helpers/stub-jobs.ts";
import { tempFolders } from "./helpers/temp.ts";
import { until } from "./helpers/until.ts";

const tempFolder = tempFolders();
const entry = new URL("./helpers/stub-worker.ts", import.meta.url);

async function openPool(options: Partial<ProcessPoolOptions> & { readonly size: number }) {
  const folder = await tempFolder();
  const jobs = new StubJobs(folder);
  return { jobs, pool: new ProcessPoolDispatcher({ entry, args: [folder], dataDir: folder, ...options }) };
}

describeDispatcher(
  "pool of processes",
  async (size) => {
    const { pool, jobs } = await openPool({ size });
    return {
      dispatcher: pool,
      started: () => jobs.order("start"),
      askedToStop: () => jobs.order("asked-to-stop"),
      finish: (jobId) => jobs.finish(jobId),
      workerOf: async (jobId) => identityOf((await jobs.happened("start", jobId)).pid),
      close: () => pool.close({ kill: true }),
    };
  },
  { queues: true },
);

describe("the pool of processes", () => {
  const GiB = 2 ** 30;
  const job = (jobId: string, more: Partial<DispatchRequest> = {}): DispatchRequest => ({
    jobId,
    tenant: "tenant",
    placement: "cpu",
    memoryBytes: 0,
    attempt: 1,
    ...more,
  });
  let toClose: ProcessPoolDispatcher[] = [];
  const use = async (options: Partial<ProcessPoolOptions> & { readonly size: number }) => {
    const opened = await openPool(options);
    toClose.push(opened.pool);
    return opened;
  };
  afterEach(async () => {
    await Promise.all(toClose.map((pool) => pool.close({ kill: true })));
    toClose = [];
  });

  it("runs as many jobs at once as it has workers, and no more", async () => {
    const { pool, jobs } = await use({ size: 3 });
    for (const name of ["a", "b", "c", "d"]) await pool.dispatch(job(name));
    for (const name of ["a", "b", "c"]) await jobs.happened("start", name);
    const pids = new Set((await jobs.events()).map(({ pid }) => pid));
    expect(pids.size).toBe(3);
    expect(pool.stats()).toEqual({ size: 3, busy: 3, idle: 0, queued: 1 });
    await jobs.finish("b");
    expect((await jobs.happened("start", "d")).pid).toBe((await jobs.happened("end", "b")).pid);
  });

  it("keeps its workers warm from job to job", async () => {
    const { pool, jobs } = await use({ size: 1 });
    const pids = new Set<number>();
    for (const name of ["a", "b", "c"]) {
      await pool.dispatch(job(name));
      pids.add((await jobs.happened("start", name)).pid);
      await jobs.finish(name);
    }
    expect(pids.size).toBe(1);
  });

  it("starts its workers when they are needed, if told to", async () => {
    const { pool, jobs } = await use({ size: 4, eager: false });
    expect(pool.stats()).toMatchObject({ busy: 0, idle: 0 });
    await pool.dispatch(job("a"));
    await jobs.happened("start", "a");
    expect(pool.stats()).toMatchObject({ busy: 1, idle: 0 });
  });

  it("tells of a worker that dies with its job, and replaces it", async () => {
    const gone: [string, string, ExitInfo][] = [];
    const claimed: string[] = [];
    const { pool, jobs } = await use({
      size: 1,
      onClaimed: (_, jobId) => claimed.push(jobId),
      onWorkerGone: (...args) => gone.push(args),
    });
    await pool.dispatch(job("a"));
    await pool.dispatch(job("b"));
    const first = await jobs.happened("start", "a");
    const worker = identityOf(first.pid);
    await until(() => claimed.includes("a"));
    process.kill(first.pid, "SIGKILL");
    const second = await jobs.happened("start", "b");
    expect(second.pid).not.toBe(first.pid);
    expect(gone).toEqual([[worker, "a", { code: null, signal: "SIGKILL" }]]);
    expect(await pool.isAlive(worker)).toBe("gone");
    const replacement = identityOf(second.pid);
    await jobs.crash("b");
    await until(() => gone.length === 2);
    expect(gone[1]).toEqual([replacement, "b", { code: 9, signal: null }]);
  });

  it("takes the next attempt of a job before it has noticed the end of the last one", async () => {
    const { pool, jobs } = await use({ size: 1 });
    await pool.dispatch(job("a"));
    const { pid } = await jobs.happened("start", "a");
    process.kill(pid, "SIGKILL");
    await pool.dispatch(job("a", { attempt: 2 }));
    expect((await jobs.happened("start", "a", 2)).pid).not.toBe(pid);
  });

  it("replaces an idle worker that dies, and says so", async () => {
    const errors: Error[] = [];
    const { pool, jobs } = await use({ size: 1, onError: (error) => errors.push(error) });
    await pool.dispatch(job("a"));
    const { pid } = await jobs.happened("start", "a");
    await jobs.finish("a");
    await until(() => pool.stats().idle === 1);
    process.kill(pid, "SIGKILL");
    await until(() => errors.length === 1);
    expect(errors[0]!.message).toMatch(/while it was idle \(signal SIGKILL\)/);
    await pool.dispatch(job("b"));
    expect((await jobs.happened("start", "b")).pid).not.toBe(pid);
  });

  it("tries workers that fail at start ever more slowly, says why, and recovers", async () => {
    const folder = await tempFolder();
    const jobs = new StubJobs(folder);
    const errors: Error[] = [];
    await writeFile(join(folder, "fail-at-start"), "");
    const pool = new ProcessPoolDispatcher({
      entry,
      args: [folder],
      dataDir: folder,
      size: 1,
      onError: (error) => errors.push(error),
    });
    toClose.push(pool);
    await pool.dispatch(job("a"));
    await until(() => errors.length >= 3);
    expect(errors[0]!.message).toMatch(/before it was ready \(exit code 7\); see .*workers\.log/);
    expect(pool.waiting("a")?.reason).toMatch(/workers fail to start: .*exit code 7/);
    await rm(join(folder, "fail-at-start"));
    await jobs.happened("start", "a");
  });

  it("a worker module that does not exist is an error that is told, not a crash", async () => {
    const errors: Error[] = [];
    const { pool, jobs } = await use({
      size: 2,
      entry: new URL("./helpers/no-such-worker.ts", import.meta.url),
      onError: (error) => errors.push(error),
    });
    await until(() => errors.length >= 2);
    expect(await readFile(workerLogFile(jobs.folder), "utf8")).toMatch(/no-such-worker/);
    await pool.close();
  });

  it("puts a large log of workers aside when it starts", async () => {
    const folder = await tempFolder();
    const log = workerLogFile(folder);
    await mkdir(dirname(log), { recursive: true });
    await writeFile(log, Buffer.alloc(17 * 2 ** 20, "x"));
    toClose.push(new ProcessPoolDispatcher({ entry, args: [folder], dataDir: folder, size: 1, eager: false }));
    expect(await readFile(log, "utf8")).toBe("");
    expect((await stat(`${log}.old`)).size).toBe(17 * 2 ** 20);
  });

  it("kills a worker that never gets ready", async () => {
    const errors: Error[] = [];
    const silent = join(await tempFolder(), "silent.mjs");
    await writeFile(silent, "setInterval(() => {}, 1000);");
    await use({ size: 1, entry: silent, startTimeoutMs: 200, onError: (error) => errors.push(error) });
    await until(() => errors.length >= 1);
    expect(errors[0]!.message).toMatch(/before it was ready \(signal SIGKILL\)/);
  });

  it("holds a job back until its memory fits, lets nobody overtake it, and says why", async () => {
    const { pool, jobs } = await use({ size: 3, memoryBudgetBytes: 4 * GiB });
    await pool.dispatch(job("half", { memoryBytes: 2 * GiB }));
    await pool.dispatch(job("large", { memoryBytes: 3 * GiB }));
    await pool.dispatch(job("small", { memoryBytes: 1 }));
    await jobs.happened("start", "half");
    await until(() => pool.stats().idle === 2);
    expect(pool.waiting("large")).toEqual({
      position: 0,
      reason: expect.stringMatching(
        /needs about 3\.0 GiB .* 4\.0 GiB for jobs 2\.0 GiB are in use and 2\.0 GiB are free/,
      ),
    });
    expect(pool.waiting("small")?.position).toBe(1);
    // There is room for the small one, but it came later.
    expect(await jobs.order("start")).toEqual(["half"]);
    await jobs.finish("half");
    await jobs.happened("start", "large");
    await jobs.happened("start", "small");
  });

  it("starts a job beyond the whole budget when nothing else runs", async () => {
    const { pool, jobs } = await use({ size: 2, memoryBudgetBytes: GiB });
    await pool.dispatch(job("huge", { memoryBytes: 50 * GiB }));
    await pool.dispatch(job("tiny", { memoryBytes: 1 }));
    await jobs.happened("start", "huge");
    await until(() => pool.stats().idle === 1);
    expect(pool.waiting("tiny")?.position).toBe(0);
    await jobs.finish("huge");
    await jobs.happened("start", "tiny");
  });

  it("closing it lets idle workers go and busy ones finish their jobs", async () => {
    const { pool, jobs } = await use({ size: 2 });
    await pool.dispatch(job("a"));
    const { pid } = await jobs.happened("start", "a");
    const worker = identityOf(pid);
    await until(() => pool.stats().idle === 1);
    await pool.close();
    expect(await pool.isAlive(worker)).toBe("alive");
    await expect(pool.dispatch(job("b"))).rejects.toMatchObject({ reason: "unavailable" });
    await jobs.finish("a");
    await jobs.happened("end", "a");
    await until(async () => (await pool.isAlive(worker)) === "gone");
  });

  describe("after a server was killed", () => {
    /** Runs a server with a pool of one in a process of its own, gives it a job, and kills it in the middle of it. */
    const killedServer = async (jobId: string) => {
      const folder = await tempFolder();
      const jobs = new StubJobs(folder);
      const server: ChildProcess = fork(
        fileURLToPath(new URL("./helpers/pool-process.ts", import.meta.url)),
        [folder, jobId],
        { execArgv: ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"] },
      );
      const exit = once(server, "exit");
      const { pid } = await jobs.happened("start", jobId);
      const worker = identityOf(pid);
      server.kill("SIGKILL");
      await exit;
      return { folder, jobs, worker, pid };
    };
    const next = (folder: string, options: Partial<ProcessPoolOptions> = {}) => {
      const pool = new ProcessPoolDispatcher({ entry, args: [folder], dataDir: folder, size: 1, ...options });
      toClose.push(pool);
      return pool;
    };

    it("its worker finishes the job and leaves; until then the next server's pool counts it", async () => {
      const { folder, jobs, worker } = await killedServer("a");
      const gone: [string, string, ExitInfo][] = [];
      const pool = next(folder, { onWorkerGone: (...args) => gone.push(args) });
      expect(pool.adopt(worker, "a")).toBe(true);
      await pool.dispatch(job("a", { attempt: 2 }));
      await pool.dispatch(job("b"));
      await until(() => pool.stats().idle === 1);
      expect(pool.stats()).toEqual({ size: 1, busy: 1, idle: 1, queued: 1 });
      expect(pool.waiting("b")).toEqual({ position: 0, reason: "the only worker is busy" });
      await jobs.finish("a");
      await jobs.happened("end", "a");
      await jobs.happened("start", "b");
      expect(gone).toEqual([[worker, "a", { code: null, signal: null }]]);
      expect(await jobs.order("start")).toEqual(["a", "b"]);
      expect(pool.adopt(worker, "a")).toBe(false);
    });

    it.each(["willing", "stubborn"])("the next server can stop the job of a %s worker", async (jobId) => {
      const { folder, jobs, worker } = await killedServer(jobId);
      const pool = next(folder);
      pool.adopt(worker, jobId);
      await pool.stop(jobId, jobId === "stubborn" ? 150 : 50_000);
      await jobs.happened("asked-to-stop", jobId);
      await until(async () => (await pool.isAlive(worker)) === "gone");
      await until(() => pool.stats().busy === 0);
    });

    it("another process with the same number is not taken for the worker", async () => {
      const { folder, jobs, worker, pid } = await killedServer("a");
      const pool = next(folder);
      const impostor = worker.replace(/\d+$/, (start) => String(Number(start) + 1));
      expect(await pool.isAlive(impostor)).toBe("gone");
      expect(pool.adopt(impostor, "a")).toBe(false);
      await pool.stop("a", 0);
      expect(identityOf(pid)).toBe(worker);
      await jobs.finish("a");
      await until(async () => (await pool.isAlive(worker)) === "gone");
    });
  });
});
