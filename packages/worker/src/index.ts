// The public face of @sortie/worker: claim a job, load it, run it, write back.
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

export { type JobRunner, OutOfTimeError, runJob } from "./run-job.ts";
export { openRunners, type Runners } from "./runners.ts";
export { createSolveRunner } from "./solve-job.ts";
export type { WorkerSettings } from "./worker-settings.ts";

/** The program of a worker process, for whoever starts one. */
export const workerProgram: string = fileURLToPath(
  // Sources run by type stripping in the repository and as JavaScript from the package.
  new URL(`./process${extname(import.meta.url)}`, import.meta.url),
);
