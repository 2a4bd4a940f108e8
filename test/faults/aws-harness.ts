// A deployment in a cloud of its own for the fault tests, and the proof that each job ended once, in the right state, and
// left nothing.
import { createConnectTransport } from "@connectrpc/connect-node";
import { createToken, type Job, jobFromRow, systemClock } from "@sortie/core";
import { JobStatus } from "@sortie/wire";
import { expect } from "vitest";
import { Cloud, type CloudOptions } from "../aws/cloud.ts";
import { Client, until } from "./harness.ts";

const LAST_EVENT = {
  [JobStatus.COMPLETED]: "Job Completed",
  [JobStatus.FAILED]: "Job Failed",
  [JobStatus.CANCELLED]: "Job Cancelled",
} as const;
type LastStatus = keyof typeof LAST_EVENT;

/** A lease that runs out soon, and no container that waits for more to do. */
const SETTINGS = { SORTIE_LIMIT_LEASE_SECONDS: "2", SORTIE_LINGER_SECONDS: "0" };

export class Deployment implements AsyncDisposable {
  readonly cloud: Cloud;
  readonly client: Client;

  private constructor(cloud: Cloud, client: Client) {
    this.cloud = cloud;
    this.client = client;
  }

  static async open(options: CloudOptions = {}): Promise<Deployment> {
    const cloud = await Cloud.open({ ...options, settings: { ...SETTINGS, ...options.settings } });
    try {
      const { table } = cloud.worker();
      const { token } = await createToken({ table, clock: systemClock }, { tenant: "faults" });
      const transport = createConnectTransport({
        baseUrl: `http://127.0.0.1:${cloud.url.port}`,
        httpVersion: "1.1",
        interceptors: [
          (next) => (request) => {
            request.header.set("authorization", `Bearer ${token}`);
            return next(request);
          },
        ],
      });
      return new Deployment(cloud, new Client(transport));
    } catch (error) {
      await cloud[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The job as its row has it. */
  async row(jobId: string): Promise<Job> {
    const row = await this.cloud.worker().table.get({ pk: `job#${jobId}`, sk: "job" });
    if (!row) throw new Error(`there is no row of job ${jobId}`);
    return jobFromRow(row);
  }

  /** Resolves once a worker has the job, in this attempt. @returns the Batch job or function that the worker is */
  async worker(jobId: string, attempt = 1): Promise<string> {
    return until(`attempt ${attempt} of job ${jobId} runs`, async () => {
      const job = await this.row(jobId);
      return job.state === "processing" && job.attempt === attempt && job.worker?.replace(/^batch:/, "");
    });
  }

  /** Waits until the job has ended so, and expects that this was told to the outside as one event, and nothing else was. */
  async expectEnd(jobId: string, status: LastStatus): Promise<Job> {
    expect(JobStatus[await this.client.end(jobId)], this.cloud.log).toBe(JobStatus[status]);
    await until("the outside was told", async () => (await this.row(jobId)).outbox.size === 0);
    const job = await this.row(jobId);
    const told = this.cloud.events.filter(({ detail }) => detail["jobId"] === jobId);
    // An event may come twice, and is then the same.
    const types = new Map(told.map(({ detail, detailType }) => [String(detail["id"]), detailType]));
    const count = (type: string) => [...types.values()].filter((each) => each === type).length;
    expect(count("Job Queued")).toBe(1);
    expect(count("Job Started")).toBe(job.attempt);
    for (const type of Object.values(LAST_EVENT)) expect(count(type), type).toBe(type === LAST_EVENT[status] ? 1 : 0);
    return job;
  }

  /** Deletes these jobs, and expects that nothing of them stays: no row, no blob, no place taken. */
  async expectNothingLeft(jobIds: readonly string[]): Promise<void> {
    this.cloud.faults.clear();
    for (const jobId of jobIds) await this.client.cuopt.deleteResult({ jobId });
    await until("rows and blobs are gone", async () => {
      const rows = await this.cloud.rows();
      const kept = rows.filter(({ pk }) => !/^(identities|token#|usage#|tenant#)/.test(pk));
      const places = rows.flatMap(({ sets }) => Object.keys(sets));
      return kept.length === 0 && places.length === 0 && (await this.cloud.objects()).length === 0;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.cloud[Symbol.asyncDispose]();
  }
}
