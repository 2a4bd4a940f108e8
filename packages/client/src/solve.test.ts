// Rules of a solve in one call: the order of calls, what stays on the server, how long it is waited for, and what is repeated.
import { Code, ConnectError } from "@connectrpc/connect";
import { JobStatus, ResponseStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { JobEndedError, TimeoutError, TransferFaultError } from "./errors.ts";
import { type LinearProblem, problemMessage } from "./problem.ts";
import { type Answers, connected } from "./testing/scripted.ts";

/** min x + 2y with x, y ≥ 1 */
const PROBLEM: LinearProblem = { objective: [1, 2], variableLower: [1, 1], variableNames: ["x", "y"] };
const LP = problemMessage(PROBLEM, { kind: "lp" });

const lpSolution = () => ({
  status: ResponseStatus.SUCCESS,
  solution: {
    case: "lpSolution" as const,
    value: { lpTerminationStatus: 2, primalObjective: 3, primalSolution: [1, 1] },
  },
});

/** A server that solves at once. */
const solving = {
  submitJob: () => ({ jobId: "job-1" }),
  waitForCompletion: () => ({ jobStatus: JobStatus.COMPLETED }),
  getResult: lpSolution,
  deleteResult: () => ({ status: ResponseStatus.SUCCESS }),
} satisfies Answers;
const WAY = ["SubmitJob", "WaitForCompletion", "CheckStatus", "GetResult"];

const failing = (faults: number, answer: () => object) => () => {
  if (faults-- > 0) throw new ConnectError("away", Code.Unavailable);
  return answer();
};

describe("a solve", () => {
  it("submits, waits, fetches the result and deletes the job once", async () => {
    const { client, calls } = await connected(solving);
    const { jobId, status, result } = await client.solve(LP);
    expect(jobId).toBe("job-1");
    expect(status.state).toBe("completed");
    expect(result.kind).toBe("lp");
    expect(calls).toEqual([...WAY, "DeleteResult"]);
  });

  it("leaves the job when it is to be kept", async () => {
    const { client, calls } = await connected(solving);
    await client.solve(LP, { keep: true });
    expect(calls).toEqual(WAY);
  });

  it("does not mind a job that cannot be deleted", async () => {
    const { client, calls } = await connected({ ...solving, deleteResult: failing(1, () => ({})) });
    expect((await client.solve(LP)).jobId).toBe("job-1");
    expect(calls.filter((name) => name === "DeleteResult")).toHaveLength(1);
  });

  it("tells the id of the job before it waits", async () => {
    const { client, calls } = await connected(solving);
    let before: readonly string[] = [];
    await client.solve(LP, {
      onJob: (id) => {
        before = [id, ...calls];
      },
    });
    expect(before).toEqual(["job-1", "SubmitJob"]);
  });

  it("of a job that fails has its text, asks for no result and leaves the job", async () => {
    const { client, calls } = await connected({
      ...solving,
      waitForCompletion: () => ({ jobStatus: JobStatus.FAILED, message: "Job failed: Out of GPU memory" }),
    });
    const error = await client.solve(LP).catch((fault) => fault);
    expect(error).toBeInstanceOf(JobEndedError);
    expect(error).toMatchObject({ state: "failed", message: "Out of GPU memory" });
    expect(calls).toEqual(["SubmitJob", "WaitForCompletion"]);
  });

  it("whose submission is refused ends at once", async () => {
    const { client, calls } = await connected(
      {
        ...solving,
        submitJob: () => {
          throw new ConnectError("Job queue full", Code.ResourceExhausted);
        },
      },
      { sortie: true },
    );
    await expect(client.solve(LP)).rejects.toMatchObject({ code: "resource-exhausted", text: "Job queue full" });
    expect(calls).toEqual(["SubmitJob"]);
  });

  it("takes no solution of the other kind", async () => {
    const { client } = await connected({
      ...solving,
      getResult: () => ({ status: ResponseStatus.SUCCESS, solution: { case: "mipSolution", value: {} } }),
    });
    await expect(client.solve(LP)).rejects.toBeInstanceOf(TransferFaultError);
  });

  it("that times out neither cancels nor deletes the job", async () => {
    const { client, calls } = await connected({ ...solving, checkStatus: () => ({ jobStatus: JobStatus.PROCESSING }) });
    const solved = client.solve(LP, { style: "polling", pollMs: 1, timeoutMs: 20 });
    await expect(solved).rejects.toBeInstanceOf(TimeoutError);
    expect(new Set(calls)).toEqual(new Set(["SubmitJob", "CheckStatus"]));
  });

  it.each([
    ["no time limit", {}, undefined],
    ["a time limit of 2.5 s", { timeLimit: 2.5 }, 123_000],
    ["a time limit of 0 s", { timeLimit: 0 }, undefined],
  ])("with %s has the client's own limit of two minutes more, or none", async (_, settings, timeoutMs) => {
    const timers: (number | undefined)[] = [];
    const real = globalThis.setTimeout;
    const spy = ((work: () => void, ms?: number) => {
      timers.push(ms);
      return real(work, ms);
    }) as typeof setTimeout;
    const { client } = await connected(solving);
    globalThis.setTimeout = spy;
    try {
      await client.solve(problemMessage(PROBLEM, { kind: "lp", settings }));
    } finally {
      globalThis.setTimeout = real;
    }
    const long = timers.filter((ms) => ms !== undefined && ms > 60_000);
    expect(long).toEqual(timeoutMs === undefined ? [] : [timeoutMs]);
  });
});

describe("calls that did not come through", () => {
  const withFaults = (): Answers => ({
    ...solving,
    submitJob: failing(2, () => ({ jobId: "job-1" })),
    getResult: failing(1, lpSolution),
  });

  it("are made again against Sortie, with the same key each time", async () => {
    const { client, calls, headers } = await connected(withFaults(), { sortie: true });
    await client.solve(LP);
    const keys = calls.flatMap((name, at) => (name === "SubmitJob" ? [headers[at]?.get("idempotency-key")] : []));
    expect(keys).toHaveLength(3);
    expect(keys[0]).toMatch(/^[\da-f]{32}$/);
    expect(new Set(keys).size).toBe(1);
  });

  it("end the solve against any other server, which is sent no key", async () => {
    const { client, calls, headers } = await connected(withFaults());
    await expect(client.solve(LP)).rejects.toMatchObject({ code: "unavailable", method: "SubmitJob" });
    expect(calls).toEqual(["SubmitJob"]);
    expect(headers[0]?.get("idempotency-key")).toBeNull();
  });

  it("have another key in every solve", async () => {
    const { client, headers, calls } = await connected(solving, { sortie: true });
    await client.solve(LP);
    await client.solve(LP);
    const keys = calls.flatMap((name, at) => (name === "SubmitJob" ? [headers[at]?.get("idempotency-key")] : []));
    expect(new Set(keys).size).toBe(2);
  });
});

describe("typed solves", () => {
  it("of an LP bring a typed solution with values by name", async () => {
    const { client } = await connected(solving);
    const solution = await client.solveLp(PROBLEM, { settings: { timeLimit: 10 } });
    expect(solution.status).toBe("optimal");
    expect(solution.value("y")).toBe(1);
  });

  it("of a MIP take whatever can be made a problem", async () => {
    const { client } = await connected({
      ...solving,
      getResult: () => ({
        status: ResponseStatus.SUCCESS,
        solution: {
          case: "mipSolution" as const,
          value: { mipTerminationStatus: 1, mipObjective: 3, mipSolution: [1, 1] },
        },
      }),
    });
    const solution = await client.solveMip({ toProblem: () => ({ ...PROBLEM, variableTypes: [1, 0] }) });
    expect(solution.status).toBe("optimal");
    expect(solution.value("x")).toBe(1);
  });
});
