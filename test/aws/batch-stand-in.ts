// Batch for the dispatcher's contract: its API over HTTP on the state machine, with containers that the test ends by hand.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import * as aws from "@sortie/platform-aws";
import { answerBatch } from "./batch-api.ts";
import { type BatchJobState, BatchMachine, type OnExit, type Task } from "./batch-machine.ts";
import { identity } from "./environment.ts";

const OPERATIONS = ["SubmitJob", "TerminateJob", "DescribeJobs", "ListJobs"];

const jobIdOf = ({ environment }: BatchJobState): string => environment["SORTIE_JOB_ID"] ?? "";

export class BatchStandIn {
  readonly #machine: BatchMachine;
  readonly #server: Server;
  readonly #running = new Map<string, OnExit>();
  readonly #finished = new Set<string>();
  readonly started: string[] = [];
  readonly askedToStop: string[] = [];
  #api: (aws.BatchApi & Disposable) | undefined;

  /**
   * @param queue the queue, and how many of its jobs run at once
   * @param stopTimeoutMs the time between SIGTERM and SIGKILL
   */
  constructor(queue: string, size: number, stopTimeoutMs: number) {
    this.#machine = new BatchMachine({
      capacity: { [queue]: size },
      launch: (job, onExit) => this.#launch(job, onExit),
      stopTimeoutMs,
    });
    this.#server = createServer(async (request, response) => {
      const operation = OPERATIONS.find((each) => request.url === `/v1/${each.toLowerCase()}`) ?? "";
      const answer = answerBatch(this.#machine, operation, await json(request));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
  }

  async open(): Promise<aws.BatchApi> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const { port } = this.#server.address() as AddressInfo;
    this.#api = aws.batchApi({ ...identity, endpoint: `http://127.0.0.1:${port}` });
    return this.#api;
  }

  /** The worker of the job ends well, now or as soon as it starts. */
  finish(jobId: string): void {
    this.#finished.add(jobId);
    this.#running.get(jobId)?.(0);
  }

  workerOf(jobId: string): string {
    return aws.batchWorkerName(this.#machine.jobs.findLast((job) => jobIdOf(job) === jobId)!.id);
  }

  async close(): Promise<void> {
    this.#machine.close();
    this.#api?.[Symbol.dispose]();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #launch(job: BatchJobState, onExit: OnExit): Task {
    const jobId = jobIdOf(job);
    const exit: OnExit = (code) => {
      this.#running.delete(jobId);
      onExit(code);
    };
    this.#running.set(jobId, exit);
    this.started.push(jobId);
    if (this.#finished.has(jobId)) setImmediate(exit, 0);
    return {
      kill: (signal) => {
        if (signal === "SIGTERM") this.askedToStop.push(jobId);
        // One that is stubborn ignores the request.
        if (signal === "SIGKILL" || !jobId.startsWith("stubborn")) setImmediate(exit, signal === "SIGKILL" ? 137 : 143);
      },
    };
  }
}
