// What every Dispatcher promises, as tests that any adapter can run.
import type { Dispatcher, DispatchRequest } from "@sortie/core";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "./helpers/until.ts";

/** A dispatcher whose workers do what the test says. */
export interface OpenedDispatcher {
  readonly dispatcher: Dispatcher;
  /** The jobs that workers have started, in order, each start once. */
  started(): Promise<readonly string[]>;
  /** The jobs whose workers were asked to stop. */
  askedToStop(): Promise<readonly string[]>;
  /** Lets the worker of a job finish it, now or when it starts. */
  finish(jobId: string): Promise<void>;
  /** The worker that has started the job, as it would write its name into a lease. */
  workerOf(jobId: string): Promise<string>;
  close(): Promise<void>;
}

export interface DispatcherFeatures {
  /** It keeps the jobs that wait itself: in order, and it says why they wait. */
  readonly queues: boolean;
}

let jobs = 0;
const request = (name: string, more: Partial<DispatchRequest> = {}): DispatchRequest => ({
  jobId: `${name}-${(jobs++).toString(36)}`,
  tenant: "tenant",
  placement: "cpu",
  memoryBytes: 1,
  attempt: 1,
  ...more,
});

/** @param open opens a dispatcher that runs `size` jobs at once */
export function describeDispatcher(
  name: string,
  open: (size: number) => Promise<OpenedDispatcher>,
  can: DispatcherFeatures,
): void {
  describe(`Dispatcher: ${name}`, () => {
    let opened: OpenedDispatcher | undefined;
    const use = async (size: number) => {
      opened = await open(size);
      return opened;
    };
    afterEach(async () => {
      await opened?.close();
      opened = undefined;
    });
    const hasStarted = ({ started }: OpenedDispatcher, jobId: string) =>
      until(async () => (await started()).includes(jobId));

    it("starts a worker for a job", async () => {
      const world = await use(1);
      const job = request("a");
      await world.dispatcher.dispatch(job);
      await hasStarted(world, job.jobId);
      expect(world.dispatcher.waiting(job.jobId)).toBeUndefined();
    });

    it("a repeated request starts the job once, while it waits and while it runs", async () => {
      const world = await use(1);
      const [first, second, last] = [request("a"), request("b"), request("c")];
      await world.dispatcher.dispatch(first);
      await Promise.all([world.dispatcher.dispatch(second), world.dispatcher.dispatch(second)]);
      await hasStarted(world, first.jobId);
      await world.dispatcher.dispatch(first);
      await world.dispatcher.dispatch(last);
      await Promise.all([first, second, last].map(({ jobId }) => world.finish(jobId)));
      await hasStarted(world, last.jobId);
      expect([...(await world.started())].sort()).toEqual([first.jobId, second.jobId, last.jobId].sort());
    });

    it.skipIf(!can.queues)("starts jobs in the order of their requests, one at a time per worker", async () => {
      const world = await use(1);
      const all = Array.from({ length: 6 }, (_, i) => request(`job${i}`));
      for (const job of all) await world.dispatcher.dispatch(job);
      for (const job of all) {
        await hasStarted(world, job.jobId);
        expect((await world.started()).at(-1)).toBe(job.jobId);
        await world.finish(job.jobId);
      }
      expect(await world.started()).toEqual(all.map(({ jobId }) => jobId));
    });

    it.skipIf(!can.queues)("tells a waiting job's place in the queue and why it waits", async () => {
      const world = await use(1);
      const [running, next, after] = [request("a"), request("b"), request("c")];
      for (const job of [running, next, after]) await world.dispatcher.dispatch(job);
      await hasStarted(world, running.jobId);
      expect(world.dispatcher.waiting(running.jobId)).toBeUndefined();
      expect(world.dispatcher.waiting(next.jobId)).toEqual({ position: 0, reason: expect.stringMatching(/busy/) });
      expect(world.dispatcher.waiting(after.jobId)).toEqual({
        position: 1,
        reason: expect.stringMatching(/1 job is ahead/),
      });
      expect(world.dispatcher.waiting("never-heard-of")).toBeUndefined();
      await world.finish(running.jobId);
      await hasStarted(world, next.jobId);
      expect(world.dispatcher.waiting(after.jobId)?.position).toBe(0);
    });

    it.skipIf(!can.queues)("a job that is stopped while it waits never starts", async () => {
      const world = await use(1);
      const [running, stopped, last] = [request("a"), request("b"), request("c")];
      for (const job of [running, stopped, last]) await world.dispatcher.dispatch(job);
      await world.dispatcher.stop(stopped.jobId, 1000);
      expect(world.dispatcher.waiting(stopped.jobId)).toBeUndefined();
      await world.finish(running.jobId);
      await hasStarted(world, last.jobId);
      expect(await world.started()).not.toContain(stopped.jobId);
    });

    it("asks the worker of a job to stop, and the worker lives on when it does", async () => {
      const world = await use(1);
      const job = request("a");
      await world.dispatcher.dispatch(job);
      await hasStarted(world, job.jobId);
      await world.dispatcher.stop(job.jobId, 50_000);
      await until(async () => (await world.askedToStop()).includes(job.jobId));
      const next = request("b");
      await world.dispatcher.dispatch(next);
      await hasStarted(world, next.jobId);
    });

    it("makes a worker stop that does not do so within its grace", async () => {
      const world = await use(1);
      const job = request("stubborn");
      await world.dispatcher.dispatch(job);
      await hasStarted(world, job.jobId);
      const worker = await world.workerOf(job.jobId);
      await world.dispatcher.stop(job.jobId, 100);
      await until(async () => (await world.dispatcher.isAlive(worker)) === "gone");
      expect(await world.askedToStop()).toContain(job.jobId);
      const next = request("b");
      await world.dispatcher.dispatch(next);
      await hasStarted(world, next.jobId);
    });

    it("stopping a job that nobody has is harmless", async () => {
      const world = await use(1);
      await world.dispatcher.stop("never-heard-of", 0);
      const job = request("a");
      await world.dispatcher.dispatch(job);
      await hasStarted(world, job.jobId);
    });

    it("knows that a worker lives, and does not vouch for a name it cannot read", async () => {
      const world = await use(1);
      const job = request("a");
      await world.dispatcher.dispatch(job);
      await hasStarted(world, job.jobId);
      expect(await world.dispatcher.isAlive(await world.workerOf(job.jobId))).toBe("alive");
      expect(await world.dispatcher.isAlive("no worker's name")).toBe("unknown");
    });

    it("a request whose signal is aborted already rejects with its reason and starts nothing", async () => {
      const world = await use(1);
      const [job, next] = [request("a"), request("b")];
      const signal = AbortSignal.abort(new Error("too late"));
      await expect(world.dispatcher.dispatch(job, { signal })).rejects.toThrow("too late");
      await world.dispatcher.dispatch(next);
      await hasStarted(world, next.jobId);
      expect(await world.started()).toEqual([next.jobId]);
    });
  });
}
