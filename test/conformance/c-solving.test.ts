// Group C: solving.
import { Code } from "@connectrpc/connect";
import { JobStatus, MIPTerminationStatus, PDLPTerminationStatus, ResponseStatus } from "@sortie/wire";
import { expect } from "vitest";
import { overEveryTransport, sharedServer } from "./harness.ts";
import {
  AFIRO_OBJECTIVE,
  type Arrays,
  afiro,
  chunksOf,
  instance,
  longMip,
  smallModel,
  TINY_LP_OBJECTIVE,
  tinyLp,
  tinyMip,
  withArrays,
} from "./models.ts";
import { AT_THE_DOOR, expectSame, refused, type Solution, submissionOf, UUID } from "./session.ts";

// Refused finishes leave their uploads open.
const server = sharedServer("--workers", "2", "--upload-limit", "200");

const LP = PDLPTerminationStatus;
const MIP = MIPTerminationStatus;

function expectAfiro(solution: Solution): void {
  expect(solution).toMatchObject({ kind: "lp", status: LP.PDLP_OPTIMAL });
  expect(solution.objective / AFIRO_OBJECTIVE).toBeCloseTo(1, 9);
  expect([...solution.arrays].map(([id, array]) => [id, array.length])).toEqual([
    [0, 32],
    [1, 27],
    [2, 32],
  ]);
}

overEveryTransport((scenario) => {
  scenario("C1", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.submit(afiro());
    await session.reaches(jobId, JobStatus.COMPLETED);
    expectAfiro(await session.result(jobId));
  });

  scenario("C2", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.submit(afiro());
    const answer = await session.rpc.waitForCompletion({ jobId });
    expect(answer).toMatchObject({ jobStatus: JobStatus.COMPLETED, message: "" });
    expect(answer.resultSizeBytes).toBeGreaterThan(0n);
    expectAfiro(await session.result(jobId));
  });

  scenario("C3", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(afiro()));
    expectAfiro(await session.result(jobId));
    await session.rpc.deleteResult({ jobId });
    expect(await session.state(jobId)).toBe(JobStatus.NOT_FOUND);
  });

  scenario("C4", async ({ connect }) => {
    const session = await connect(server);
    const { jobId, message } = await session.rpc.submitJob(submissionOf(tinyLp()));
    session.own(jobId);
    expect(jobId).toMatch(UUID);
    expect(message).toBe("Job submitted successfully");
    await session.reaches(jobId, JobStatus.COMPLETED);
    expect(await session.rpc.checkStatus({ jobId })).toMatchObject({ message: "Job completed" });
    expect((await session.result(jobId)).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
    expect((await session.rpc.deleteResult({ jobId })).status).toBe(ResponseStatus.SUCCESS);
    expect(await session.state(jobId)).toBe(JobStatus.NOT_FOUND);
  });

  scenario("C5", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.submit(longMip());
    await refused(session.rpc.getResult({ jobId }), Code.Unavailable, "Result not ready");
    await session.reaches(jobId, JobStatus.PROCESSING);
    await refused(session.rpc.getResult({ jobId }), Code.Unavailable, "Result not ready");
  });

  scenario("C6", async ({ connect }) => {
    const session = await connect(server);
    const crossed = smallModel({ c: [1], lower: [2], upper: [1] });
    expect(crossed.arrays.A_offsets).toEqual(Int32Array.of(0));
    expect((await session.solved(crossed)).status).toBe(LP.PDLP_PRIMAL_INFEASIBLE);
    const crossedRow = smallModel({ c: [1], rows: [[[1], 2, 1]] });
    expect((await session.solved(crossedRow)).status).toBe(LP.PDLP_PRIMAL_INFEASIBLE);
    expect((await session.solved({ ...crossed, kind: "mip" })).status).toBe(MIP.MIP_INFEASIBLE);
  });

  scenario("C7", async ({ connect }) => {
    const session = await connect(server);
    for (const optimum of [1, 2]) {
      const solution = await session.solved(tinyMip(optimum));
      expect(solution).toMatchObject({ kind: "mip", status: MIP.MIP_OPTIMAL });
      expect(solution.objective).toBeCloseTo(optimum, 6);
    }
  });

  scenario("C8", async ({ connect }) => {
    const session = await connect(server);
    const ids = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const jobId = await session.completed(await session.submit(afiro()));
      expectAfiro(await session.result(jobId));
      ids.add(jobId);
    }
    expect(ids.size).toBe(3);
  });

  scenario("C9", async ({ connect }) => {
    const models = [
      [afiro(), AFIRO_OBJECTIVE],
      [tinyLp(), TINY_LP_OBJECTIVE],
      [tinyLp({ objectiveOffset: 10 }), 12.8],
    ] as const;
    const sessions = [await connect(server), await connect(server)];
    const work = sessions.flatMap((session) => models.map(([model, objective]) => ({ session, model, objective })));
    const ids = await Promise.all(work.map(({ session, model }) => session.submit(model)));
    expect(new Set(ids).size).toBe(work.length);
    await Promise.all(
      work.map(async ({ session, objective }, i) => {
        const solution = await session.result(await session.completed(ids[i]!));
        expect(solution.status).toBe(LP.PDLP_OPTIMAL);
        expect(solution.objective / objective).toBeCloseTo(1, 6);
      }),
    );
  });

  scenario("C11", async ({ connect }) => {
    const session = await connect(server);
    for (const model of [afiro(), instance("flugpl")]) {
      const jobId = await session.completed(await session.submit(model));
      const first = await session.result(jobId);
      expectSame(first, await session.result(jobId));
      expectSame(first, await session.download(jobId, 7));
    }
  });

  scenario("C12", async ({ connect }) => {
    const session = await connect(server);
    const integers = withArrays(tinyLp(), { variable_types: Int32Array.of(1, 1) });
    const solution = await session.solved(integers);
    expect(solution.kind).toBe("lp");
    expect(solution.objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("C13", async ({ connect }) => {
    const session = await connect(server);
    const objective = async (...model: Parameters<typeof session.solved>) => (await session.solved(...model)).objective;
    expect(await objective(tinyLp())).toBeCloseTo(2.8, 6);
    expect(await objective(tinyLp({ objectiveOffset: 10 }))).toBeCloseTo(12.8, 6);
    expect(await objective(tinyLp({ objectiveScalingFactor: 2 }))).toBeCloseTo(5.6, 6);
    expect(await objective({ ...tinyMip(2), objectiveOffset: -1, objectiveScalingFactor: 3 })).toBeCloseTo(3, 6);
    // The usual way to turn a maximum around: minimise the negative, report the negative of that.
    const turned = withArrays(tinyLp({ maximize: false, objectiveScalingFactor: -1 }), { c: Float64Array.of(-1, -1) });
    expect(await objective(turned)).toBeCloseTo(2.8, 6);
  });

  scenario("C14", async ({ connect }) => {
    const session = await connect(server);
    const solution = await session.solved(longMip(), { mip: { timeLimit: 1 } });
    expect([MIP.MIP_TIME_LIMIT, MIP.MIP_FEASIBLE_FOUND]).toContain(solution.status);
  });

  scenario("C16", async ({ connect }) => {
    const session = await connect(server);
    const faults: readonly [Arrays, RegExp][] = [
      [{ A_offsets: Int32Array.of(0, 2, 5) }, /A_offsets\[2\] is 5/],
      [{ A_offsets: Int32Array.of(0, 5, 4) }, /A_offsets\[2\]/],
      [{ A_offsets: Int32Array.of(1, 2, 4) }, /A_offsets\[0\] is 1/],
      [{ A_indices: Int32Array.of(0, 1, 0, 2) }, /A_indices\[3\] is 2/],
      [{ A_indices: Int32Array.of(0, 1, 0, -1) }, /A_indices\[3\] is -1/],
      [{ A_values: Float64Array.of(1, Number.NaN, 3, 1) }, /A_values\[1\] is NaN/],
      [{ variable_upper_bounds: Float64Array.of(1) }, /variable_upper_bounds has 1/],
    ];
    for (const [arrays, text] of faults) {
      const bad = withArrays(tinyLp(), arrays);
      const unary = await refused(session.rpc.submitJob(submissionOf(bad)), Code.InvalidArgument, AT_THE_DOOR);
      expect(unary).toMatch(text);
      const uploadId = await session.startUpload(bad);
      await session.sendAll(uploadId, chunksOf(bad, 16));
      expect(await refused(session.rpc.finishChunkedUpload({ uploadId }), Code.InvalidArgument, AT_THE_DOOR)).toBe(
        unary,
      );
    }
    expect((await session.solved(tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("C17", async ({ connect }) => {
    const session = await connect(server);
    const noObjective = withArrays(tinyLp(), { c: undefined });
    const wrongType = withArrays(tinyMip(), { variable_types: Int32Array.of(7) });
    for (const bad of [noObjective, wrongType]) {
      await refused(session.rpc.submitJob(submissionOf(bad)), Code.InvalidArgument, AT_THE_DOOR);
    }
    const request = submissionOf(tinyLp(), { lp: { method: 17 as never } });
    await refused(session.rpc.submitJob(request), Code.InvalidArgument, /^ValidationError: .*method/);
    expect((await session.solved(tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("C18", async ({ connect }) => {
    const session = await connect(server);
    // x² + y² − 2x − 4y over a box: −5 at (1, 2); with a half it would be −10 at (2, 4).
    const quadratic = [
      [1, 0],
      [0, 1],
    ];
    const model = smallModel({ c: [-2, -4], rows: [[[1, 1], -10, 10]], lower: [-5, -5], upper: [5, 5], quadratic });
    const solution = await session.solved(model);
    expect(solution.status).toBe(LP.PDLP_OPTIMAL);
    expect(solution.objective).toBeCloseTo(-5, 4);
    expect(solution.values[0]).toBeCloseTo(1, 3);
    expect(solution.values[1]).toBeCloseTo(2, 3);
    // Only the sum of Q and its transpose counts.
    const skew = [
      [1, 3],
      [-3, 1],
    ];
    const same = await session.solved(
      smallModel({ c: [-2, -4], rows: [[[1, 1], -10, 10]], lower: [-5, -5], upper: [5, 5], quadratic: skew }),
    );
    expect(same.objective).toBeCloseTo(-5, 4);
  });

  scenario("C19", async ({ connect }) => {
    const session = await connect(server);
    const quadratic = [
      [1, 0],
      [0, 1],
    ];
    const rows = [[[1, 1], -10, 10]] as const;
    const box = { c: [0, 0], rows, lower: [-1, -1], upper: [2, 2], maximize: true };
    expect((await session.solved(smallModel({ ...box, quadratic }))).status).toBe(LP.PDLP_NUMERICAL_ERROR);
    // A concave maximum is a convex problem, and truly optimal.
    const concave = await session.solved(
      smallModel({ ...box, c: [2, 2], quadratic: quadratic.map((r) => r.map((q) => -q)) }),
    );
    expect(concave.status).toBe(LP.PDLP_OPTIMAL);
    expect(concave.objective).toBeCloseTo(2, 4);
  });
});
