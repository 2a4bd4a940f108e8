// What is stored for a job, as its worker would load it.
import { loadArrays } from "@sortie/core";
import type { Server } from "./harness.ts";

/** The input arrays of a job, byte by byte, by their names on the wire. */
export async function storedInput(server: Server, jobId: string): Promise<ReadonlyMap<string, Uint8Array>> {
  return server.withJob(jobId, (job, stores) => loadArrays(stores, job.input));
}

/** What a job's worker is told beside the arrays: kind, sense, scaling, settings, sizes. */
export async function storedWork(server: Server, jobId: string): Promise<unknown> {
  return server.withJob(jobId, async ({ kind, placement, memoryBytes, work }) => ({
    kind,
    placement,
    memoryBytes,
    work,
  }));
}
