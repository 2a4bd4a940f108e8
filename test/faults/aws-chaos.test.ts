// Everything at once on the AWS adapters, by chance: each job ends once in its right state, and nothing of it stays.
import { Code, ConnectError } from "@connectrpc/connect";
import { JobStatus, rawMessage } from "@sortie/wire";
import { expect, it } from "vitest";
import { calls, type FaultKind } from "../aws/faults.ts";
import { Deployment } from "./aws-harness.ts";
import { until } from "./harness.ts";
import { submission, tinyLp } from "./problems.ts";

const JOBS = 24;
const KINDS: readonly FaultKind[] = ["throttle", "error", "slow", "answer-lost", "request-lost"];

/** Repeats a call until it is answered; what is not there yet may come. */
async function persistently<T>(what: string, call: () => Promise<T>): Promise<T> {
  return until(
    what,
    async () => {
      try {
        return { answer: await call() };
      } catch (error) {
        const { code } = ConnectError.from(error);
        if (code === Code.Unavailable || code === Code.Internal || code === Code.Unknown) return false;
        throw error;
      }
    },
    120_000,
  ).then(({ answer }) => answer);
}

it(`${JOBS} jobs end once each, while every service fails and the stream repeats, shuffles and loses`, async () => {
  await using deployment = await Deployment.open({ seed: 7, settings: { SORTIE_LIMIT_LEASE_SECONDS: "4" } });
  const { cloud, client } = deployment;
  for (const service of ["DynamoDB", "S3", "Lambda", "Events"] as const) {
    for (const kind of KINDS) cloud.faults.plan({ kind, on: calls(service), chance: 0.03, delayMs: 150 });
  }
  let delivered = 0;
  cloud.stream.tamper = (records) => {
    delivered += 1;
    if (delivered % 5 === 0) return [];
    return delivered % 2 === 0 ? [...records, ...records].reverse() : records;
  };

  const headers = (key: string) => ({ headers: { "idempotency-key": key } });
  const submit = async (i: number): Promise<string> => {
    const request = rawMessage(submission(tinyLp(i + 1)));
    const answer = await persistently(`job ${i} is taken`, () =>
      client.cuopt.submitJob(request, headers(`chaos-${i}`)),
    );
    return (answer as unknown as { jobId: string }).jobId;
  };
  const jobs: string[] = [];
  // Six at a time, as many clients would.
  for (let i = 0; i < JOBS; i += 6) {
    const some = Array.from({ length: 6 }, (_, j) => submit(i + j));
    jobs.push(...(await Promise.all(some)));
  }
  expect(new Set(jobs).size).toBe(JOBS);
  // The same again is the same job.
  expect(await submit(0)).toBe(jobs[0]);
  await Promise.all(jobs.map((jobId) => persistently(`job ${jobId} ends`, () => client.end(jobId))));

  const struck = { ...cloud.faults.struck };
  cloud.faults.clear();
  cloud.stream.tamper = undefined;
  for (const [kind, times] of Object.entries(struck)) expect(times, kind).toBeGreaterThan(0);
  for (const [i, jobId] of jobs.entries()) {
    await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    const { solution } = await client.result(jobId);
    expect([...(solution?.arrays.get(0) ?? [])]).toEqual([i + 1]);
  }
  const { jobs: listed } = await client.jobs.listJobs({ pageSize: 1000 });
  expect(listed.map(({ id }) => id).sort()).toEqual([...jobs].sort());
  await deployment.expectNothingLeft(jobs);
});
