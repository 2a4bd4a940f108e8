// What the kernel tells of processes.
import { readdirSync, readFileSync } from "node:fs";

/** The most that the process has had in memory so far, MiB. */
export function peakMemory(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error("the kernel does not tell the peak memory of a process");
  return Number(kib) / 1024;
}

/** Processes that this one started and whose command line has `text` in it. */
export function ownProcesses(text: string): number[] {
  const pids = readdirSync("/proc/self/task").flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8").trim().split(" "),
  );
  return pids.filter((pid) => pid !== "" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text)).map(Number);
}
