// Group O: what 26.06 added.
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { MIPTerminationStatus, type QuadraticConstraint, QuadraticConstraintSchema } from "@sortie/wire";
import { expect } from "vitest";
import { overEveryTransport, sharedServer } from "./harness.ts";
import { chunksOf, smallModel, TINY_LP_OBJECTIVE, tinyLp } from "./models.ts";
import { AT_THE_DOOR, refused, submissionOf } from "./session.ts";

const server = sharedServer("--upload-limit", "100");

/** x² + y² ≤ 1 */
const disc = create(QuadraticConstraintSchema, {
  constraintRowIndex: 2,
  constraintRowName: "disc",
  constraintRowType: "L".charCodeAt(0),
  rhsValue: 1,
  rows: [0, 1],
  cols: [0, 1],
  vals: [1, 1],
});

function constrained(constraint: QuadraticConstraint) {
  const request = submissionOf(tinyLp());
  request.jobData.value.problem.quadraticConstraints.push(constraint);
  return request;
}

overEveryTransport((scenario) => {
  scenario("O4", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.upload(tinyLp(), 64, { header: { quadraticConstraints: [] } });
    expect((await session.result(await session.completed(jobId))).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
    expect((await session.solved(tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("O5", async ({ connect }) => {
    const session = await connect(server);
    for (const type of ["L", "G", "E", "l", "g", "e"].map((letter) => letter.charCodeAt(0)).concat(0, 127, 128, 255)) {
      const request = constrained(create(QuadraticConstraintSchema, { ...disc, constraintRowType: type }));
      await refused(session.rpc.submitJob(request), Code.InvalidArgument, /^ValidationError: quadratic_constraints: 1/);
    }
  });

  scenario("O6", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    const chunk = { fieldId: 0, totalElements: 1n, data: new Uint8Array(8) };
    for (const half of [{ containerFieldNum: 25 }, { containerIndex: 0 }]) {
      await refused(session.send(uploadId, { ...chunk, ...half }), Code.InvalidArgument, /container_.* is set without/);
    }
    await session.sendAll(uploadId, chunksOf(tinyLp(), 64));
    await session.completed(await session.finish(uploadId));
  });

  scenario("O7", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    const chunk = { fieldId: 0, totalElements: 1n, data: new Uint8Array(8) };
    const negative = { ...chunk, containerFieldNum: 25, containerIndex: -1 };
    await refused(session.send(uploadId, negative), Code.InvalidArgument, "non-negative");
    for (const unknown of [
      { ...chunk, containerFieldNum: 24, containerIndex: 0 },
      { ...chunk, containerFieldNum: 25, containerIndex: 0, fieldId: 5 },
    ]) {
      await refused(session.send(uploadId, unknown), Code.InvalidArgument, "Unknown container array");
    }
    await session.sendAll(uploadId, chunksOf(tinyLp(), 64));
    await session.completed(await session.finish(uploadId));
  });

  scenario("O8", async ({ connect }) => {
    const session = await connect(server);
    // Zero, or from 2 to 10: what needs 1 of it takes 2, and what costs is left at zero.
    const model = smallModel({
      c: [1, 1],
      rows: [[[1, 0], 1, Number.POSITIVE_INFINITY]],
      lower: [2, 2],
      upper: [10, 10],
      types: [2, 2],
    });
    for (const jobId of [await session.submit(model), await session.upload(model, 64)]) {
      const solution = await session.result(await session.completed(jobId));
      expect(solution.status).toBe(MIPTerminationStatus.MIP_OPTIMAL);
      expect(solution.values[0]).toBeCloseTo(2, 6);
      expect(solution.values[1]).toBeCloseTo(0, 6);
    }
  });

  scenario("O9", async ({ connect }) => {
    const session = await connect(server);
    const text = /^ValidationError: quadratic_constraints: 1 found, none are supported/;
    await refused(session.rpc.submitJob(constrained(disc)), Code.InvalidArgument, text);
    const header = { quadraticConstraints: [disc] };
    await refused(session.startUpload(tinyLp(), { header }), Code.InvalidArgument, text);
    const uploadId = await session.startUpload(tinyLp());
    const array = { fieldId: 4, totalElements: 1n, data: new Uint8Array(8), containerFieldNum: 25, containerIndex: 0 };
    await refused(session.send(uploadId, array), Code.InvalidArgument, AT_THE_DOOR);
  });

  scenario("O10", async ({ connect }) => {
    const session = await connect(server);
    const request = { jobData: { case: "vrpRequest" as const, value: {} } };
    await refused(session.rpc.submitJob(request), Code.InvalidArgument, "No problem data provided");
  });
});
