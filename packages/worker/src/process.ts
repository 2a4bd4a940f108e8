// A worker process of the embedded platform: opens the data directory, gets its engine ready, and runs the jobs that its
// parent names, one at a time. It outlives its parent: with a job in hand it finishes that job, then leaves; unless
// the data directory is a temporary one of the parent's.
import { parseArgs } from "node:util";
import { DEFAULT_LIMITS, systemClock, systemIds, type WorkerContext } from "@sortie/core";
import { LocalFiles } from "@sortie/pipeline";
import { openLocalPlatform, type PoolCommand, type PoolReport, thisProcess } from "@sortie/platform-local";
import { note } from "./note.ts";
import { EXIT_JOB_LOST, runJob } from "./run-job.ts";
import { openAllRunners } from "./runners.ts";
import type { WorkerSettings } from "./worker-settings.ts";

const { values } = parseArgs({ options: { settings: { type: "string" } } });
const settings = JSON.parse(values.settings ?? "{}") as Partial<WorkerSettings>;

async function main(): Promise<void> {
  if (!settings.dataDir) throw new Error("--settings needs a dataDir");
  const platform = await openLocalPlatform({
    dataDir: settings.dataDir,
    durability: settings.durability ?? "process",
  });
  const context: WorkerContext = {
    table: platform.table,
    blobs: platform.blobs,
    clock: systemClock,
    ids: systemIds,
    limits: settings.limits ?? DEFAULT_LIMITS,
  };
  const files = new LocalFiles({ roots: settings.dataRoots ?? [] });
  await using runners = await openAllRunners(context, () => files, {
    provider: settings.pipelineProvider ?? "cpu",
  });

  let current: { jobId: string; stop: AbortController } | undefined;
  let leaving = false;
  const closed = Promise.withResolvers<void>();

  const leaveWhenIdle = () => {
    leaving = true;
    if (!current) closed.resolve();
  };
  const report = (message: PoolReport) => {
    // A parent that is gone is told nothing; the table has it all.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  const run = async (jobId: string, stop: AbortController) => {
    try {
      await runJob(context, jobId, thisProcess, runners.byKind, {
        onClaimed: () => report({ type: "claimed", jobId }),
        onFault: note,
        signal: stop.signal,
      });
    } catch (error) {
      // The job's row says that it is ours, and we could not end it: only when this process is gone is it taken up again.
      note(`job ${jobId} could not be ended`, error);
      process.exit(EXIT_JOB_LOST);
    }
    current = undefined;
    report({ type: "done", jobId });
    if (leaving) closed.resolve();
  };

  process.on("message", (message: PoolCommand) => {
    if (message.type === "exit") return leaveWhenIdle();
    if (message.type === "stop") {
      if (current?.jobId === message.jobId) current.stop.abort();
      return;
    }
    if (current || leaving) return;
    const stop = new AbortController();
    current = { jobId: message.jobId, stop };
    void run(message.jobId, stop);
  });
  process.on("disconnect", () => (settings.isTemporary ? process.exit() : leaveWhenIdle()));
  // A request to go: the job in hand is given back for another attempt.
  process.on("SIGTERM", () => {
    leaveWhenIdle();
    current?.stop.abort();
  });
  // Ctrl-C in a terminal reaches the whole group; stopping is the server's to say.
  process.on("SIGINT", () => undefined);
  report({ type: "ready", worker: thisProcess });
  if (!process.connected) leaveWhenIdle();
  await closed.promise;
  await platform.close();
}

main().then(
  () => process.exit(0),
  (error) => {
    note("the worker could not start", error);
    process.exit(1);
  },
);
