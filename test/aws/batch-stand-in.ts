// Batch as the dispatcher sees it: jobs that wait, run, are asked to stop and are killed, as the test decides.
import * as aws from "@sortie/platform-aws";

type BatchApi = import("@sortie/platform-aws").BatchApi;
type BatchJob = import("@sortie/platform-aws").BatchJob;
type BatchSubmission = import("@sortie/platform-aws").BatchSubmission;

interface StandInJob extends BatchSubmission {
  readonly id: string;
  status: BatchJob["status"];
  killer?: NodeJS.Timeout;
}

export class BatchStandIn implements BatchApi {
  readonly #size: number;
  readonly #stopTimeoutMs: number;
  readonly #jobs: StandInJob[] = [];
  readonly #finished = new Set<string>();
  readonly started: string[] = [];
  readonly askedToStop: string[] = [];

  /**
   * @param size how many jobs run at once
   * @param stopTimeoutMs the time between SIGTERM and SIGKILL
   */
  constructor(size: number, stopTimeoutMs: number) {
    this.#size = size;
    this.#stopTimeoutMs = stopTimeoutMs;
  }

  get submissions(): readonly BatchSubmission[] {
    return this.#jobs;
  }

  async submit(submission: BatchSubmission): Promise<string> {
    const id = `00000000-0000-4000-8000-${String(this.#jobs.length).padStart(12, "0")}`;
    this.#jobs.push({ ...submission, id, status: "RUNNABLE" });
    this.#schedule();
    return id;
  }

  async terminate(id: string): Promise<void> {
    const job = this.#jobs.find((one) => one.id === id);
    if (!job || job.status === "FAILED" || job.status === "SUCCEEDED") return;
    if (job.status !== "RUNNING") {
      job.status = "FAILED";
      return;
    }
    const jobId = job.environment["SORTIE_JOB_ID"]!;
    this.askedToStop.push(jobId);
    if (!jobId.startsWith("stubborn")) return this.#end(job, "FAILED");
    job.killer ??= setTimeout(() => this.#end(job, "FAILED"), this.#stopTimeoutMs);
  }

  async describe(id: string): Promise<BatchJob | undefined> {
    const job = this.#jobs.find((one) => one.id === id);
    return job && { id, name: job.name, status: job.status };
  }

  async named(queue: string, prefix: string): Promise<readonly BatchJob[]> {
    return this.#jobs.filter((job) => job.queue === queue && job.name.startsWith(prefix));
  }

  /** The worker of the job ends well, now or as soon as it starts. */
  finish(jobId: string): void {
    this.#finished.add(jobId);
    for (const job of this.#jobs) {
      if (job.status === "RUNNING" && job.environment["SORTIE_JOB_ID"] === jobId) this.#end(job, "SUCCEEDED");
    }
  }

  workerOf(jobId: string): string {
    const job = this.#jobs.findLast(({ environment }) => environment["SORTIE_JOB_ID"] === jobId);
    return aws.batchWorkerName(job!.id);
  }

  close(): void {
    for (const job of this.#jobs) clearTimeout(job.killer);
  }

  #end(job: StandInJob, status: "SUCCEEDED" | "FAILED"): void {
    clearTimeout(job.killer);
    job.status = status;
    this.#schedule();
  }

  #schedule(): void {
    for (const job of this.#jobs) {
      if (this.#jobs.filter(({ status }) => status === "RUNNING").length >= this.#size) return;
      if (job.status !== "RUNNABLE") continue;
      job.status = "RUNNING";
      const jobId = job.environment["SORTIE_JOB_ID"]!;
      this.started.push(jobId);
      if (this.#finished.has(jobId)) this.#end(job, "SUCCEEDED");
    }
  }
}
