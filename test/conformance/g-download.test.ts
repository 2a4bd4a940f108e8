// Group G: download.
import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { MIPTerminationStatus, ResultFieldId } from "@sortie/wire";
import { expect } from "vitest";
import { overEveryTransport, sharedServer } from "./harness.ts";
import { AFIRO_OBJECTIVE, afiro, instance, isSudoku, smallModel, sudoku, tinyLp } from "./models.ts";
import { bitsOf, expectSame, refused, type Session, type Solution } from "./session.ts";

const server = sharedServer();
const small = sharedServer("--max-message-bytes", "4096");
const hasty = sharedServer("--download-idle-seconds", "2");

const PRIMAL = ResultFieldId.RESULT_PRIMAL_SOLUTION;
const DUAL = ResultFieldId.RESULT_DUAL_SOLUTION;
const MIP = ResultFieldId.RESULT_MIP_SOLUTION;

/** Chunks within nine tenths of 4096 bytes, and slices too. */
const CHUNK_BYTES = 3600;
const SLICE_ELEMENTS = 460;

/** What a client does: in chunks if the size says so, else in one message. */
async function fetched(session: Session, jobId: string): Promise<{ solution: Solution; way: "unary" | "chunked" }> {
  const { resultSizeBytes, maxMessageBytes } = await session.rpc.checkStatus({ jobId });
  if (resultSizeBytes <= maxMessageBytes) return { solution: await session.result(jobId), way: "unary" };
  return { solution: await session.download(jobId, SLICE_ELEMENTS), way: "chunked" };
}

/** An open download of afiro's result. */
async function openAfiro(session: Session) {
  const jobId = await session.completed(await session.submit(afiro()));
  const { downloadId, header } = await session.startDownload(jobId);
  return { jobId, downloadId, header: header!, whole: await session.result(jobId) };
}

overEveryTransport((scenario) => {
  scenario("G2", async ({ connect }) => {
    const session = await connect(small);
    const jobId = await session.completed(await session.upload(sudoku(), CHUNK_BYTES));
    const { solution, way } = await fetched(session, jobId);
    expect(way).toBe("chunked");
    expect(isSudoku(solution.values.map(Math.round))).toBe(true);
  });

  scenario("G3", async ({ connect }) => {
    const session = await connect(small);
    const lp = smallModel({
      c: [1, 1],
      rows: [
        [[1, 2], 2, 10],
        [[3, 1], 3, 10],
      ],
    });
    const mip = smallModel({ c: [1, 2], rows: [[[1, 1], 1.5, 10]], types: [1, 1] });
    const ways = new Set<string>();
    for (const { model, chunked, objective, expected } of [
      { model: lp, chunked: false, objective: 1.4, expected: "unary" },
      { model: afiro(), chunked: true, objective: AFIRO_OBJECTIVE, expected: "unary" },
      { model: sudoku(), chunked: true, objective: 0, expected: "chunked" },
      { model: mip, chunked: false, objective: 2, expected: "unary" },
    ] as const) {
      const id = chunked ? await session.upload(model, CHUNK_BYTES) : await session.submit(model);
      const { solution, way } = await fetched(session, await session.completed(id));
      expect(way).toBe(expected);
      expect(solution.objective).toBeCloseTo(objective, 6);
      // The other way, where it is open, gives the same.
      expectSame(solution, await session.download(id, 100));
      ways.add(`${model.kind} ${chunked} ${way}`);
    }
    expect(ways.size).toBe(4);
  });

  scenario("G6", async ({ connect }) => {
    const session = await connect(small);
    const jobId = await session.completed(await session.upload(sudoku(), CHUNK_BYTES));
    await refused(session.rpc.getResult({ jobId }), Code.ResourceExhausted, "StartChunkedDownload");
    // Exactly the limit in numbers is more than the limit in a message.
    const exact = smallModel({
      c: new Array(512).fill(0),
      types: new Array(512).fill(1),
      upper: new Array(512).fill(1),
    });
    const fits = await session.completed(await session.upload(exact, CHUNK_BYTES));
    expect((await session.rpc.checkStatus({ jobId: fits })).resultSizeBytes).toBe(4096n);
    await refused(session.rpc.getResult({ jobId: fits }), Code.ResourceExhausted);
    expect((await session.download(fits, SLICE_ELEMENTS)).values).toHaveLength(512);
  });

  scenario("G7", async ({ connect, host }) => {
    const session = await connect(server);
    for (const [model, arrays] of [
      [
        afiro(),
        [
          [PRIMAL, 32n],
          [DUAL, 27n],
          [ResultFieldId.RESULT_REDUCED_COST, 32n],
        ],
      ],
      [instance("flugpl"), [[MIP, 18n]]],
      [instance("infeasible-mip1"), []],
    ] as const) {
      const jobId = await session.completed(await session.submit(model));
      const { header, maxMessageBytes, downloadId } = await session.startDownload(jobId);
      expect(maxMessageBytes).toBe(BigInt(host.maxMessageBytes));
      expect(header?.arrays.map((each) => [each.fieldId, each.totalElements])).toEqual(arrays);
      expect(header?.arrays.every((each) => each.elementSizeBytes === 8n)).toBe(true);
      await session.rpc.finishChunkedDownload({ downloadId });
      expectSame(await session.result(jobId), await session.download(jobId, 1000));
    }
  });

  scenario("G8", async ({ connect }) => {
    const session = await connect(server);
    const { downloadId, whole } = await openAfiro(session);
    const primal = whole.arrays.get(PRIMAL)!;
    for (const [offset, asked, got] of [
      [0, 5, 5],
      [7, 10, 10],
      [30, 10, 2],
      [31, 1, 1],
      [0, 1_000_000, 32],
    ] as const) {
      const slice = await session.slice(downloadId, PRIMAL, offset, asked);
      expect(slice).toHaveLength(got);
      expect(bitsOf(slice)).toEqual(bitsOf(primal.slice(offset, offset + got)));
    }
  });

  scenario("G9", async ({ connect }) => {
    const session = await connect(server);
    const { downloadId } = await openAfiro(session);
    expect(await session.slice(downloadId, PRIMAL, 0, 0)).toHaveLength(32);
    expect(await session.slice(downloadId, PRIMAL, 10, -5)).toHaveLength(22);
  });

  scenario("G10", async ({ connect }) => {
    const session = await connect(server);
    const { downloadId } = await openAfiro(session);
    for (const offset of [-1, 32, 33]) {
      await refused(session.slice(downloadId, PRIMAL, offset, 1), Code.OutOfRange);
    }
  });

  scenario("G11", async ({ connect }) => {
    const session = await connect(server);
    const { downloadId } = await openAfiro(session);
    for (const fieldId of [MIP, ResultFieldId.RESULT_WS_CURRENT_PRIMAL, 99 as ResultFieldId]) {
      await refused(session.slice(downloadId, fieldId, 0, 1), Code.InvalidArgument);
    }
  });

  scenario("G12", async ({ connect }) => {
    const session = await connect(server);
    const { downloadId, whole } = await openAfiro(session);
    for (const fieldId of [DUAL, PRIMAL]) {
      const array = whole.arrays.get(fieldId)!;
      for (let offset = array.length - 1; offset >= 0; offset -= 3) {
        for (let repeat = 0; repeat < 2; repeat++) {
          const slice = await session.slice(downloadId, fieldId, offset, 7);
          expect(bitsOf(slice)).toEqual(bitsOf(array.slice(offset, offset + 7)));
        }
      }
    }
  });

  scenario("G13", async ({ connect }) => {
    const session = await connect(server);
    const { jobId, downloadId, whole } = await openAfiro(session);
    await session.rpc.deleteResult({ jobId });
    // The sweep has passed by once another deleted job is gone; the one that is held stays.
    await session.solved(tinyLp());
    for (const [fieldId, array] of whole.arrays) {
      const slices = await session.slices(downloadId, fieldId, array.length, 5);
      expect(bitsOf(slices)).toEqual(bitsOf(array));
    }
    await session.rpc.finishChunkedDownload({ downloadId });
    await refused(session.slice(downloadId, PRIMAL, 0, 1), Code.NotFound);
  });

  scenario("G14", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(tinyLp()));
    const uploadId = await session.startUpload(tinyLp());
    const open: string[] = [];
    for (let i = 0; i < 16; i++) open.push((await session.startDownload(jobId)).downloadId);
    await refused(session.startDownload(jobId), Code.ResourceExhausted);
    await session.send(uploadId, { fieldId: 0, totalElements: 0n });
    await session.startUpload(tinyLp());
    await session.rpc.finishChunkedDownload({ downloadId: open.pop()! });
    open.push((await session.startDownload(jobId)).downloadId);
    for (const downloadId of open) {
      expect(await session.rpc.finishChunkedDownload({ downloadId })).toMatchObject({ downloadId });
      await refused(session.rpc.finishChunkedDownload({ downloadId }), Code.NotFound);
    }
  });

  scenario("G15", async ({ connect }) => {
    const session = await connect(hasty);
    const { downloadId } = await openAfiro(session);
    // In use for longer than the two seconds of this server, then not.
    const end = performance.now() + 3500;
    while (performance.now() < end) {
      await session.slice(downloadId, PRIMAL, 0, 1);
      await delay(200);
    }
    await delay(3000);
    await refused(session.slice(downloadId, PRIMAL, 0, 1), Code.NotFound);
  });

  scenario("G19", async ({ connect }) => {
    const session = await connect(server);
    // Without a solution objective, bound and gap have no number to show; the arrays of others hold signed zeros.
    for (const model of [instance("infeasible-mip1"), instance("galenet"), tinyLp(), instance("afiro")]) {
      const jobId = await session.completed(await session.submit(model));
      expectSame(await session.result(jobId), await session.download(jobId, 3));
    }
    const infeasible = await session.solved(instance("infeasible-mip1"));
    expect(infeasible.status).toBe(MIPTerminationStatus.MIP_INFEASIBLE);
    const special = [...infeasible.scalars.values()].filter(
      (value) => typeof value === "number" && !Number.isFinite(value),
    );
    expect(special.length).toBeGreaterThan(0);
  });
});
