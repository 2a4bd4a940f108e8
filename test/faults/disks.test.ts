// A disk that is full, and one that does not give back what it was given.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { JobStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { type Client, Ground, until } from "./harness.ts";
import { boundedLp, chunksOf, hardMip, type SampleProblem, tinyLp } from "./problems.ts";

const problem = boundedLp(Float64Array.from({ length: 20_000 }, (_, i) => 1 + (i % 89)));
const chunks = chunksOf(problem, 64 * 1024);

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => {
      throw new Error("the call went well");
    },
    (error: unknown) => ConnectError.from(error),
  );
}

async function startUpload(client: Client): Promise<string> {
  return (await client.cuopt.startChunkedUpload({ problemHeader: { header: { version: 1 } } })).uploadId;
}

async function upload(client: Client, what = chunks): Promise<string> {
  const uploadId = await startUpload(client);
  for (const chunk of what) await client.cuopt.sendArrayChunk({ uploadId, chunk });
  return uploadId;
}

const finish = async (client: Client, uploadId: string) => (await client.cuopt.finishChunkedUpload({ uploadId })).jobId;

async function expectSolved(client: Client, jobId: string, { objective }: SampleProblem): Promise<void> {
  expect(await client.end(jobId)).toBe(JobStatus.COMPLETED);
  const { solution } = await client.result(jobId);
  if (solution?.kind !== "lp") throw new Error("the result is no LP solution");
  expect(solution.scalars.primalObjective).toBeCloseTo(objective!, 3);
}

/** Needs no privileges where the kernel lets everyone have namespaces of their own; the mount goes with its last process. */
const smallDisk = (dataDir: string, mebibytes: number) => [
  "unshare",
  "--user",
  "--map-root-user",
  "--mount",
  "sh",
  "-c",
  `mount -t tmpfs -o size=${mebibytes}m tmpfs '${dataDir}' && exec "$@"`,
  "sh",
];
const canMount = spawnSync("unshare", ["--user", "--map-root-user", "--mount", "true"]).status === 0;

/** Fills what is left of a disk, as far as it goes. */
function fillUp(folder: string): string {
  const ballast = join(folder, "ballast");
  const file = openSync(ballast, "w");
  try {
    for (const size of [1 << 20, 1 << 12, 1]) {
      const block = Buffer.alloc(size, 1);
      try {
        for (;;) if (writeSync(file, block) < size) break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      }
    }
    expect(fstatSync(file).size).toBeGreaterThan(0);
  } finally {
    closeSync(file);
  }
  return ballast;
}

/** Where no small disk can be mounted, its refusals are made. */
describe("a disk that refuses to write", () => {
  it("has the chunk, the job or the result refused that it was for, and nothing is left of it", async () => {
    await using ground = new Ground();
    const flag = `${ground.dataDir}-full`;
    const preload = new URL("./full-disk.preload.ts", import.meta.url).href;
    const inside = ["env", `FULL_DISK_WHILE=${flag}`, `NODE_OPTIONS=--import=${preload}`];
    const { client } = await ground.start({ inside });
    const whileFull = async (task: () => Promise<void>) => {
      writeFileSync(flag, "");
      try {
        await task();
      } finally {
        unlinkSync(flag);
      }
    };
    const uploadId = await startUpload(client);
    const [first, ...rest] = chunks;
    await client.cuopt.sendArrayChunk({ uploadId, chunk: first! });
    const before = ground.storedBlobs();
    await whileFull(async () => {
      for (const call of [client.cuopt.sendArrayChunk({ uploadId, chunk: rest[0]! }), client.submit(problem)]) {
        const refused = await failure(call);
        expect(refused.code).toBe(Code.ResourceExhausted);
        expect(refused.rawMessage).toMatch(/^blob .*: no space left on the disk$/);
      }
      expect(ground.storedBlobs()).toEqual(before);
      expect(readdirSync(join(ground.dataDir, "blobs", ".tmp"))).toEqual([]);
      // What stores nothing in files goes on.
      expect((await client.cuopt.checkStatus({ jobId: "nobody" })).jobStatus).toBe(JobStatus.NOT_FOUND);
    });
    for (const chunk of rest) await client.cuopt.sendArrayChunk({ uploadId, chunk });
    await expectSolved(client, await finish(client, uploadId), problem);

    // The worker cannot write its result: the job says so, and the next one is solved.
    const worker = await ground.worker();
    process.kill(worker, "SIGSTOP");
    const unlucky = await client.submit(problem);
    await whileFull(async () => {
      process.kill(worker, "SIGCONT");
      expect(await client.end(unlucky)).toBe(JobStatus.FAILED);
    });
    expect((await client.cuopt.checkStatus({ jobId: unlucky })).message).toMatch(/no space left on the disk/);
    await expectSolved(client, await client.submit(problem), problem);
    expect((await client.jobs.listJobs({})).jobs).toHaveLength(3);
  });
});

describe.runIf(canMount)("a full disk", () => {
  it("refuses a chunk and says why, and takes the same chunk when there is room again", async () => {
    await using ground = new Ground();
    const { client, pid } = await ground.start({ inside: smallDisk(ground.dataDir, 48) });
    // The server's own view of the directory: its disk is mounted for it alone.
    const seen = join("/proc", String(pid), "root", ground.dataDir);
    const uploadId = await startUpload(client);
    const send = (chunk: (typeof chunks)[number]) => client.cuopt.sendArrayChunk({ uploadId, chunk });
    const [first, ...rest] = chunks;
    await send(first!);
    const blobsBefore = ground.storedBlobs(seen);
    const ballast = fillUp(seen);

    const refused = await failure(send(rest[0]!));
    expect(refused.code).toBe(Code.ResourceExhausted);
    expect(refused.rawMessage).toContain("disk");
    const unary = await failure(client.submit(problem));
    expect(unary.code).toBe(Code.ResourceExhausted);
    expect(unary.rawMessage).toContain("disk");
    // Nothing of either is left, half or whole, and the server goes on.
    expect(ground.storedBlobs(seen)).toEqual(blobsBefore);
    expect(readdirSync(join(seen, "blobs", ".tmp"))).toEqual([]);
    expect((await client.cuopt.checkStatus({ jobId: "nobody" })).jobStatus).toBe(JobStatus.NOT_FOUND);

    unlinkSync(ballast);
    for (const chunk of rest) await send(chunk);
    await expectSolved(client, await finish(client, uploadId), problem);
    expect((await client.jobs.listJobs({})).jobs).toHaveLength(1);
  });

  it("loses no job that was accepted before", async () => {
    await using ground = new Ground();
    const { client, pid } = await ground.start({ inside: smallDisk(ground.dataDir, 48) });
    const seen = join("/proc", String(pid), "root", ground.dataDir);
    const running = await client.submit(hardMip());
    await client.running(running);
    const queued = await client.submit(tinyLp(6));
    const ballast = fillUp(seen);
    expect(await client.status(queued)).toBe(JobStatus.QUEUED);
    unlinkSync(ballast);
    await until("the server writes again", async () => {
      return (
        (await client.cuopt.cancelJob({ jobId: running }).catch(() => undefined))?.jobStatus === JobStatus.CANCELLED
      );
    });
    await expectSolved(client, queued, tinyLp(6));
  });
});

describe("a blob that was altered at rest", () => {
  const damages = {
    "cut off": (path: string) => truncateSync(path, 100),
    "with one bit turned": (path: string) => {
      const file = openSync(path, "r+");
      try {
        writeSync(file, Buffer.from([0xff]), 0, 1, 4321);
      } finally {
        closeSync(file);
      }
    },
    emptied: (path: string) => writeFileSync(path, ""),
    gone: (path: string) => unlinkSync(path),
  } as const;

  it.each(Object.entries(damages))("%s, of an upload: the job fails and names the blob", async (_, damage) => {
    await using ground = new Ground();
    const { client } = await ground.start();
    const uploadId = await upload(client);
    const harmed = ground.storedBlobs().find((key) => key.includes("/c/"))!;
    damage(join(ground.dataDir, "blobs", harmed));
    const jobId = await finish(client, uploadId);
    expect(await client.end(jobId)).toBe(JobStatus.FAILED);
    expect((await client.cuopt.checkStatus({ jobId })).message).toContain(`blob ${harmed}: bytes`);
    // The worker is fine, and so is the same problem once more.
    await expectSolved(client, await finish(client, await upload(client)), problem);
  });

  it.each(Object.entries(damages))("%s, of a result: DATA_LOSS by every way to read it", async (_, damage) => {
    await using ground = new Ground();
    const { client } = await ground.start();
    const jobId = await client.submit(problem);
    await expectSolved(client, jobId, problem);
    const harmed = ground.storedBlobs().find((key) => key === `jobs/${jobId}/result/1`)!;
    damage(join(ground.dataDir, "blobs", harmed));
    const unary = await failure(client.result(jobId));
    expect(unary.code).toBe(Code.DataLoss);
    expect(unary.rawMessage).toContain(`blob ${harmed}: bytes`);
    const { downloadId } = await client.cuopt.startChunkedDownload({ jobId });
    const chunk = await failure(client.cuopt.getResultChunk({ downloadId, fieldId: 0, maxElements: 1000n }));
    expect(chunk.code).toBe(Code.DataLoss);
    expect(await client.status(jobId)).toBe(JobStatus.COMPLETED);
  });
});
