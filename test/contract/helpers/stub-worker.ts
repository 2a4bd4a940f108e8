// A worker process that does no work: it notes what happens to it in a file, and ends jobs when files tell it to.
//
// In the folder given: `events` gets a line "WHAT JOB PID" per event; the file `finish-JOB` ends that job, `crash-JOB`
// ends the process in the middle of it. A job whose name begins with "stubborn" does not stop when it is asked to.
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type PoolCommand, type PoolReport, thisProcess } from "@sortie/platform-local";

const folder = process.argv[2]!;
if (existsSync(join(folder, "fail-at-start"))) process.exit(7);

const note = (what: string, jobId: string) =>
  appendFileSync(join(folder, "events"), `${what} ${jobId} ${process.pid}\n`);
const report = (message: PoolReport) => process.connected && process.send!(message);

let job: string | undefined;
let stopped = false;
let leaving = false;

function leave(): void {
  leaving = true;
  if (job === undefined) process.exit(0);
}

function stop(): void {
  if (job === undefined) return;
  note("asked-to-stop", job);
  stopped = !job.startsWith("stubborn");
}

async function run(jobId: string): Promise<void> {
  job = jobId;
  stopped = false;
  note("start", jobId);
  report({ type: "claimed", jobId });
  while (!stopped && !existsSync(join(folder, `finish-${jobId}`))) {
    if (existsSync(join(folder, `crash-${jobId}`))) process.exit(9);
    await sleep(3);
  }
  note("end", jobId);
  job = undefined;
  report({ type: "done", jobId });
  if (leaving) process.exit(0);
}

process.on("message", (command: PoolCommand) => {
  if (command.type === "run") void run(command.jobId);
  else if (command.type === "stop") stop();
  else leave();
});
process.on("disconnect", leave);
process.on("SIGTERM", () => {
  stop();
  leave();
});
report({ type: "ready", worker: thisProcess });
