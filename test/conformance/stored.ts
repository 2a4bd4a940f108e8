// Looks into a server's data: what is stored for a job, as its worker would load it, and which process has the job.
import { type Job, jobFromRow, loadArrays } from "@sortie/core";
import { openLocalPlatform } from "@sortie/platform-local";
import type { Server } from "./harness.ts";

type Platform = Awaited<ReturnType<typeof openLocalPlatform>>;

async function withJob<T>(
  server: Server,
  jobId: string,
  look: (job: Job, platform: Platform) => Promise<T>,
): Promise<T> {
  const platform = await openLocalPlatform({ dataDir: server.dataDir, durability: "process" });
  try {
    const row = await platform.table.get({ pk: `job#${jobId}`, sk: "job" });
    if (!row) throw new Error(`the server has no job ${jobId}`);
    return await look(jobFromRow(row), platform);
  } finally {
    await platform.close();
  }
}

/** The input arrays of a job, byte by byte, by their names on the wire. */
export async function storedInput(server: Server, jobId: string): Promise<ReadonlyMap<string, Uint8Array>> {
  return withJob(server, jobId, (job, platform) => loadArrays(platform, job.input));
}

/** The id of the process that runs a job. */
export async function workerOf(server: Server, jobId: string): Promise<number> {
  return withJob(server, jobId, async (job) => {
    const pid = /^pid:(\d+)/.exec(job.worker ?? "")?.[1];
    if (pid === undefined) throw new Error(`job ${jobId} has no worker`);
    return Number(pid);
  });
}

/** What a job's worker is told beside the arrays: kind, sense, scaling, settings, sizes. */
export async function storedWork(server: Server, jobId: string): Promise<unknown> {
  return withJob(server, jobId, async ({ kind, placement, memoryBytes, work }) => ({
    kind,
    placement,
    memoryBytes,
    work,
  }));
}
