// Group E: chunked upload.
import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { MIPTerminationStatus, PDLPTerminationStatus, splitNames } from "@sortie/wire";
import { expect } from "vitest";
import { overEveryTransport, sharedServer, until } from "./harness.ts";
import {
  AFIRO_OBJECTIVE,
  ARRAY_NAMES,
  afiro,
  bytesOf,
  type ChunkInit,
  chunkOf,
  chunksOf,
  fieldIdOf,
  instance,
  isSudoku,
  longMip,
  type Model,
  smallModel,
  sudoku,
  TINY_LP_OBJECTIVE,
  tinyLp,
  tinyMip,
  withArrays,
} from "./models.ts";
import { AT_THE_DOOR, refused, type Session } from "./session.ts";
import { storedInput } from "./stored.ts";

const server = sharedServer("--workers", "2", "--upload-limit", "200");
const narrow = sharedServer("--workers", "1", "--queue-limit", "2");
const hasty = sharedServer("--workers", "1", "--upload-limit", "1", "--upload-idle-seconds", "2");

const MIP_SOLVED = [MIPTerminationStatus.MIP_OPTIMAL, MIPTerminationStatus.MIP_FEASIBLE_FOUND];

/** Sends what is still missing of the tiny LP, finishes, and expects its solution: the upload was still usable. */
async function completeTiny(session: Session, uploadId: string, without: readonly ChunkInit[] = []): Promise<void> {
  const sent = new Set(without.map((chunk) => `${chunk.fieldId} ${chunk.elementOffset}`));
  const rest = chunksOf(tinyLp(), 8).filter((chunk) => !sent.has(`${chunk.fieldId} ${chunk.elementOffset}`));
  await session.sendAll(uploadId, rest);
  const solution = await session.result(await session.completed(await session.finish(uploadId)));
  expect(solution.objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
}

overEveryTransport((scenario) => {
  scenario("E1", async ({ connect }) => {
    const session = await connect(server);
    const chunked = await session.result(await session.completed(await session.upload(afiro(), 8192)));
    expect(chunked.objective / AFIRO_OBJECTIVE).toBeCloseTo(1, 9);
    const unary = await session.solved(afiro());
    expect(chunked.arrays).toEqual(unary.arrays);
    expect(chunked.objective).toBe(unary.objective);
  });

  scenario("E2", async ({ connect }) => {
    const session = await connect(server);
    expect(chunksOf(sudoku(), 4096, ["A_values"]).length).toBeGreaterThan(2);
    const solution = await session.result(await session.completed(await session.upload(sudoku(), 4096)));
    expect(MIP_SOLVED).toContain(solution.status);
    expect(isSudoku(solution.values.map(Math.round))).toBe(true);
  });

  scenario("E3", async ({ connect }) => {
    const session = await connect(server);
    const models: readonly (readonly [Model, number])[] = [
      [afiro(), AFIRO_OBJECTIVE],
      [tinyLp(), TINY_LP_OBJECTIVE],
      [tinyMip(2), 2],
    ];
    const uploads = await Promise.all(models.map(([model]) => session.startUpload(model)));
    const queues = models.map(([model]) => chunksOf(model, 64));
    while (queues.some((queue) => queue.length > 0)) {
      await Promise.all(queues.map((queue, i) => queue.length > 0 && session.send(uploads[i]!, queue.shift()!)));
    }
    const ids = await Promise.all(uploads.map((uploadId) => session.finish(uploadId)));
    expect(new Set(ids).size).toBe(3);
    for (const [i, [, objective]] of models.entries()) {
      const solution = await session.result(await session.completed(ids[i]!));
      expect(solution.objective / objective).toBeCloseTo(1, 6);
    }
  });

  scenario("E7", async ({ connect }) => {
    const session = await connect(server);
    const forwards = await session.result(await session.completed(await session.upload(afiro(), 40)));
    const uploadId = await session.startUpload(afiro());
    await session.sendAll(uploadId, chunksOf(afiro(), 40).reverse());
    const backwards = await session.result(await session.completed(await session.finish(uploadId)));
    expect(backwards.arrays).toEqual(forwards.arrays);
    expect(backwards.objective).toBe(forwards.objective);
  });

  scenario("E8", async ({ connect, running }) => {
    const session = await connect(server);
    const model = withArrays(tinyLp(), { variable_names: ["größe", "y"], row_names: ["first", ""] });
    const blob = bytesOf(model, "variable_names");
    const total = blob.byteLength - 1;
    const uploadId = await session.startUpload(model);
    await session.sendAll(
      uploadId,
      chunksOf(
        model,
        64,
        ARRAY_NAMES.filter((name) => name !== "variable_names"),
      ),
    );
    // The cut is inside a name and inside a letter of two bytes; the last NUL does not come.
    for (const [from, to] of [
      [3, total],
      [0, 3],
    ] as const) {
      const data = blob.subarray(from, to);
      await session.send(uploadId, { fieldId: 0, elementOffset: BigInt(from), totalElements: BigInt(total), data });
    }
    const jobId = await session.completed(await session.finish(uploadId));
    const stored = await storedInput(await running(server), jobId);
    expect(splitNames(stored.get("variable_names")!)).toEqual(["größe", "y"]);
    expect(splitNames(stored.get("row_names")!)).toEqual(["first", ""]);
  });

  scenario("E9", async ({ connect, running }) => {
    const session = await connect(server);
    const model = withArrays(tinyLp(), { variable_names: ["from array", "y"] });
    const header = { variableNames: ["from header", "z"], rowNames: ["r", "s"] };
    const jobId = await session.completed(await session.upload(model, 64, { header }));
    const stored = await storedInput(await running(server), jobId);
    expect(splitNames(stored.get("variable_names")!)).toEqual(["from array", "y"]);
    // Without an array those of the header count.
    expect(splitNames(stored.get("header_row_names")!)).toEqual(["r", "s"]);
  });

  scenario("E10", async ({ connect }) => {
    const session = await connect(server);
    const model = smallModel({ c: [1, 1, 1, 1], rows: [[[1, 1, 1, 1], 1.5, 10]], types: [1, 1, 1, 1] });
    const solution = await session.result(await session.completed(await session.upload(model, 8)));
    expect(solution).toMatchObject({ kind: "mip", status: MIPTerminationStatus.MIP_OPTIMAL });
    expect(solution.objective).toBeCloseTo(2, 6);
    const uploadId = await session.startUpload(model);
    const rest = ARRAY_NAMES.filter((name) => name !== "variable_types");
    await session.sendAll(uploadId, chunksOf(model, 64, rest));
    const types = { fieldId: fieldIdOf("variable_types"), elementOffset: 0n };
    const three = { ...types, totalElements: 3n, data: new Uint8Array(3).fill(1) };
    await refused(session.send(uploadId, three), Code.InvalidArgument, "aligned");
    const other = await session.startUpload(model);
    await session.sendAll(other, chunksOf(model, 64, rest));
    await session.send(other, { ...types, totalElements: 4n, data: new Uint8Array(4).fill(1) });
    const finish = session.rpc.finishChunkedUpload({ uploadId: other });
    await refused(finish, Code.InvalidArgument, /^ValidationError: array variable_types: elements 1 to 3 of 4/);
  });

  scenario("E11", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    const chunks = chunksOf(tinyLp(), 8);
    const counts: number[] = [];
    for (const chunk of chunks) {
      counts.push(await session.send(uploadId, chunk));
      const bad = { ...chunk, elementOffset: -1n };
      await refused(session.send(uploadId, bad), Code.InvalidArgument);
    }
    expect(counts).toEqual(chunks.map((_, i) => i + 1));
    await session.completed(await session.finish(uploadId));
  });

  scenario("E12", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    await session.sendAll(uploadId, chunksOf(tinyLp(), 64));
    const answer = await session.rpc.finishChunkedUpload({ uploadId });
    session.own(answer.jobId);
    expect(answer.message).toBe("Job submitted via chunked arrays");
    await refused(session.rpc.finishChunkedUpload({ uploadId }), Code.NotFound);
    await refused(session.send(uploadId, chunkOf(tinyLp(), "c", 0, 2)), Code.NotFound);
    await session.completed(answer.jobId);
  });

  scenario("E13", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    await refused(session.rpc.finishChunkedUpload({ uploadId }), Code.InvalidArgument, AT_THE_DOOR);
    await completeTiny(session, uploadId);
  });

  scenario("E14", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    const chunks = chunksOf(tinyLp(), 8);
    const hole = chunks.find((chunk) => chunk.fieldId === fieldIdOf("A_values") && chunk.elementOffset === 2n)!;
    const sent = chunks.filter((chunk) => chunk !== hole);
    await session.sendAll(uploadId, sent);
    await refused(
      session.rpc.finishChunkedUpload({ uploadId }),
      Code.InvalidArgument,
      /^ValidationError: array A_values: elements 2 to 2 of 4 were not sent/,
    );
    await completeTiny(session, uploadId, sent);
  });

  scenario("E15", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    const first = chunkOf(tinyLp(), "A_values", 0, 2);
    expect(await session.send(uploadId, first)).toBe(1);
    expect(await session.send(uploadId, first)).toBe(1);
    const otherBytes = { ...first, data: new Uint8Array(16) };
    await refused(session.send(uploadId, otherBytes), Code.InvalidArgument, AT_THE_DOOR);
    const shifted = chunkOf(tinyLp(), "A_values", 1, 2);
    await refused(session.send(uploadId, shifted), Code.InvalidArgument, AT_THE_DOOR);
    expect(await session.send(uploadId, chunkOf(tinyLp(), "A_values", 2, 2))).toBe(2);
    const values = [0n, 1n, 2n, 3n].map((elementOffset) => ({ fieldId: fieldIdOf("A_values"), elementOffset }));
    await completeTiny(session, uploadId, values);
  });

  scenario("E16", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    await session.send(uploadId, chunkOf(tinyLp(), "A_values", 0, 1));
    const disagrees = { ...chunkOf(tinyLp(), "A_values", 1, 1), totalElements: 5n };
    await refused(session.send(uploadId, disagrees), Code.InvalidArgument, /^ValidationError: .*total_elements is 5/);
    await completeTiny(session, uploadId);
  });

  scenario("E17", async ({ connect }) => {
    const session = await connect(narrow);
    const uploads: string[] = [];
    for (let i = 0; i < 16; i++) uploads.push(await session.startUpload(tinyLp()));
    await refused(session.startUpload(tinyLp()), Code.ResourceExhausted);
    await completeTiny(session, uploads[0]!);
    uploads[0] = await session.startUpload(tinyLp());
    await refused(session.startUpload(tinyLp()), Code.ResourceExhausted);
    for (const uploadId of uploads) await completeTiny(session, uploadId);
  });

  scenario("E18", async ({ connect }) => {
    const session = await connect(hasty);
    const uploadId = await session.startUpload(tinyLp());
    await refused(session.startUpload(tinyLp()), Code.ResourceExhausted);
    // Longer than the two seconds of this server, with traffic all the while; a refused chunk is traffic as well.
    const end = performance.now() + 3000;
    while (performance.now() < end) {
      await session.send(uploadId, chunkOf(tinyLp(), "c", 0, 2));
      await delay(200);
      await refused(session.send(uploadId, { fieldId: 99 }), Code.InvalidArgument);
      await delay(200);
    }
    await delay(2500);
    await refused(session.send(uploadId, chunkOf(tinyLp(), "c", 0, 2)), Code.NotFound);
    const next = await placeFree(session);
    await completeTiny(session, next);
  });

  scenario("E19", async ({ connect }) => {
    const session = await connect(narrow);
    const long = await session.running(longMip());
    await session.submit(tinyLp());
    const uploadId = await session.startUpload(tinyLp());
    await session.sendAll(uploadId, chunksOf(tinyLp(), 8));
    await refused(session.rpc.finishChunkedUpload({ uploadId }), Code.ResourceExhausted, "Job queue full");
    await session.rpc.cancelJob({ jobId: long });
    await completeTiny(session, uploadId);
  });

  scenario("E20", async ({ connect }) => {
    const session = await connect(server);
    const quiet = await session.completed(await session.upload(instance("flugpl"), 8192));
    expect(await session.incumbents(quiet)).toEqual([]);
    const asked = await session.completed(await session.upload(instance("flugpl"), 8192, { incumbents: true }));
    expect((await session.incumbents(asked)).length).toBeGreaterThan(0);
  });

  scenario("E21", async ({ connect }) => {
    const session = await connect(server);
    // The integer optimum is 2, the relaxed one 1.5.
    const integers = tinyMip(2);
    const objective = async (problemCategory: number | undefined) => {
      const header = problemCategory === undefined ? {} : { header: { version: 1, problemCategory } };
      const jobId = await session.upload({ ...integers, kind: "lp" }, 64, { header: header as object });
      return await session.result(await session.completed(jobId));
    };
    const mip = await objective(1);
    expect(mip).toMatchObject({ kind: "mip" });
    expect(mip.objective).toBeCloseTo(2, 6);
    for (const category of [0, undefined, 9]) {
      const lp = await objective(category);
      expect(lp).toMatchObject({ kind: "lp", status: PDLPTerminationStatus.PDLP_OPTIMAL });
      expect(lp.objective).toBeCloseTo(1.5, 6);
    }
    const uploadId = (await session.rpc.startChunkedUpload({})).uploadId;
    await session.sendAll(uploadId, chunksOf(integers, 64));
    const bare = await session.result(await session.completed(await session.finish(uploadId)));
    expect(bare.kind).toBe("lp");
  });

  scenario("E22", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.upload(afiro(), 8192));
    expect((await session.result(jobId)).status).toBe(PDLPTerminationStatus.PDLP_OPTIMAL);
    // An arm that does not fit the category counts as none.
    const unfit = { settings: { case: "mipSettings" as const, value: { timeLimit: 0, nodeLimit: 0 } } };
    const other = await session.completed(await session.upload(afiro(), 8192, { header: unfit }));
    expect((await session.result(other)).status).toBe(PDLPTerminationStatus.PDLP_OPTIMAL);
  });

  scenario("E23", async ({ connect, running }) => {
    const session = await connect(server);
    const model: Model = {
      ...tinyLp({ maximize: false }),
      arrays: {
        ...tinyLp().arrays,
        b: Float64Array.of(4, 6),
        row_types: Uint8Array.from(Buffer.from("LL")),
        variable_types: new Int32Array(2),
        Q_values: Float64Array.of(1, 0.5, 1),
        Q_indices: Int32Array.of(0, 1, 1),
        Q_offsets: Int32Array.of(0, 2, 3),
        initial_primal_solution: Float64Array.of(-0, 5e-324),
        initial_dual_solution: Float64Array.of(0.1, -1e308),
        variable_names: ["x", "y"],
        row_names: ["first", "second"],
      },
    };
    expect(Object.keys(model.arrays)).toHaveLength(18);
    // Whole arrays, and one element at a time in reverse.
    for (const chunks of [chunksOf(model, 1 << 20), chunksOf(model, 1).reverse()]) {
      const uploadId = await session.startUpload(model);
      await session.sendAll(uploadId, chunks);
      const jobId = await session.finish(uploadId);
      const stored = await storedInput(await running(server), jobId);
      expect(stored.size).toBe(18);
      for (const name of ARRAY_NAMES) {
        expect(Buffer.compare(stored.get(name)!, bytesOf(model, name)), name).toBe(0);
      }
      await session.completed(jobId);
    }
    // An empty array is as good as none.
    const uploadId = await session.startUpload(tinyLp());
    await session.sendAll(uploadId, chunksOf(tinyLp(), 64));
    for (const name of ARRAY_NAMES.filter((each) => tinyLp().arrays[each] === undefined)) {
      await session.send(uploadId, { fieldId: fieldIdOf(name), totalElements: 0n });
    }
    const jobId = await session.completed(await session.finish(uploadId));
    expect((await session.result(jobId)).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });
});

/** Opens an upload as soon as one may be opened. */
async function placeFree(session: Session): Promise<string> {
  return until(() => session.startUpload(tinyLp()).catch(() => undefined), "the place of the expired upload is free");
}
