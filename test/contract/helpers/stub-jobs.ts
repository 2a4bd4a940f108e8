// The test's side of stub-worker.ts: what has happened, and what shall happen.
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./until.ts";

export interface JobEvent {
  readonly what: "start" | "end" | "asked-to-stop";
  readonly jobId: string;
  readonly pid: number;
}

export class StubJobs {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async events(): Promise<JobEvent[]> {
    const path = join(this.folder, "events");
    await appendFile(path, "");
    const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
    return lines.map((line) => {
      const [what, jobId, pid] = line.split(" ");
      return { what: what as JobEvent["what"], jobId: jobId!, pid: Number(pid) };
    });
  }

  /** Waits until this has happened to the job `times` times; returns the last of them. */
  async happened(what: JobEvent["what"], jobId: string, times = 1): Promise<JobEvent> {
    return until(async () => {
      const hits = (await this.events()).filter((event) => event.what === what && event.jobId === jobId);
      return hits.length >= times && hits.at(-1);
    });
  }

  async order(what: JobEvent["what"]): Promise<string[]> {
    return (await this.events()).filter((event) => event.what === what).map(({ jobId }) => jobId);
  }

  finish(jobId: string): Promise<void> {
    return writeFile(join(this.folder, `finish-${jobId}`), "");
  }

  crash(jobId: string): Promise<void> {
    return writeFile(join(this.folder, `crash-${jobId}`), "");
  }
}
