// Group G: which way a result takes, and what a client does with answers that are wrong or late.
import { Code } from "@connectrpc/connect";
import type { SolveResult, SortieClient } from "@sortie/client";
import { RemoteError, TransferFaultError } from "@sortie/client";
import { ResultFieldId } from "@sortie/wire";
import { describe, expect } from "vitest";
import { clientOf, faultOf, PROTOCOLS, scenario } from "./harness.ts";
import { COMPLETED, lpSolution, mipSolution, sliced, whole } from "./messages.ts";
import { fault, type Script, scriptedServer } from "./scripted-server.ts";

const MIB = 1024 * 1024;
const SIZE = 3000;
const solution = lpSolution(Array.from({ length: SIZE }, (_, i) => i + 0.5));
/** The result goes in slices at once: it is larger than what the server sends in one message. */
const large = { ...COMPLETED, resultSizeBytes: 20_000n, maxMessageBytes: 10_000n };
const tooLarge = fault(Code.ResourceExhausted, "result of 48016 bytes: use the chunked download");

function expectSolution(result: SolveResult): void {
  expect(result.kind).toBe("lp");
  expect(result.scalars).toMatchObject({ primalObjective: 7, nbIterations: 12 });
  expect([...result.arrays.keys()].sort()).toEqual([0, 1, 2]);
  for (const [id, array] of solution.arrays) expect(result.arrays.get(id), `array ${id}`).toEqual(array);
}

describe.each(PROTOCOLS)("over %s", (protocol) => {
  scenario("G1", async () => {
    const server = await scriptedServer({ checkStatus: [COMPLETED], getResult: [whole(solution)] }, { protocol });
    const client = await clientOf(server);
    expectSolution(await client.result("job-1"));
    expect(server.methods).toEqual(["checkStatus", "getResult"]);
  });

  scenario("G4", async () => {
    const script = { checkStatus: [COMPLETED], getResult: [tooLarge], ...sliced(solution) };
    const server = await scriptedServer(script, { protocol });
    const client = await clientOf(server);
    expectSolution(await client.result("job-1"));
    expect(server.methods.slice(0, 3)).toEqual(["checkStatus", "getResult", "startChunkedDownload"]);
    expect(server.methods.at(-1)).toBe("finishChunkedDownload");
  });

  scenario("G5", async () => {
    const startChunkedDownload = [fault(Code.ResourceExhausted, "16 downloads are open")];
    const server = await scriptedServer({ checkStatus: [large], startChunkedDownload }, { protocol });
    const client = await clientOf(server);
    const error = await faultOf(client.result("job-1"));
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ code: "resource-exhausted" });
    expect(error.message).toContain("16 downloads are open");
    expect(server.methods).toEqual(["checkStatus", "startChunkedDownload"]);
  });
});

scenario("G1", "the size is not known because the status call fails", async () => {
  const checkStatus = [fault(Code.Unavailable, "busy")];
  const server = await scriptedServer({ checkStatus, getResult: [whole(solution)] });
  expectSolution(await (await clientOf(server)).result("job-1"));
});

scenario("G4", "the size alone decides, against the smaller of the two limits", async () => {
  const ways = async (resultSizeBytes: number, serverMaximum: number, clientMaximum: number) => {
    const status = { ...COMPLETED, resultSizeBytes: BigInt(resultSizeBytes), maxMessageBytes: BigInt(serverMaximum) };
    const server = await scriptedServer({
      checkStatus: [status],
      getResult: [whole(solution)],
      ...sliced(solution),
    });
    const client = await clientOf(server, { maxMessageBytes: clientMaximum });
    expectSolution(await client.result("job-1"));
    return server.methods[1];
  };
  expect(await ways(5 * MIB, 5 * MIB, 256 * MIB)).toBe("getResult");
  expect(await ways(5 * MIB + 1, 5 * MIB, 256 * MIB)).toBe("startChunkedDownload");
  expect(await ways(5 * MIB, 256 * MIB, 5 * MIB)).toBe("getResult");
  expect(await ways(5 * MIB + 1, 256 * MIB, 5 * MIB)).toBe("startChunkedDownload");
});

scenario("G4", "a MIP", async () => {
  const mip = mipSolution([1, 0, 1]);
  const server = await scriptedServer({ checkStatus: [COMPLETED], getResult: [tooLarge], ...sliced(mip) });
  const result = await (await clientOf(server)).result("job-1");
  expect(result).toMatchObject({ kind: "mip", scalars: { mipObjective: 7 } });
  expect(result.arrays.get(ResultFieldId.RESULT_MIP_SOLUTION)).toEqual(Float64Array.of(1, 0, 1));
});

const slices = sliced(solution);
type Slice = ReturnType<typeof slices.getResultChunk>;
type Start = ReturnType<typeof slices.startChunkedDownload>;
const withSlices = (change: (slice: Slice) => Partial<Slice>): Script => ({
  getResultChunk: (request) => {
    const slice = slices.getResultChunk(request);
    return { ...slice, ...change(slice) };
  },
});
type Descriptor = Start["header"]["arrays"][number];
const withArrays = (change: Partial<Descriptor>): Script => ({
  startChunkedDownload: () => {
    const start = slices.startChunkedDownload();
    return {
      ...start,
      header: { ...start.header, arrays: start.header.arrays.map((each) => ({ ...each, ...change })) },
    };
  },
});

const MALFORMED: readonly (readonly [what: string, script: Script])[] = [
  [
    "too many elements",
    withSlices(({ elementsInChunk, data }) => ({ elementsInChunk: elementsInChunk + 1n, data: joined(data, 8) })),
  ],
  ["fewer bytes than its elements need", withSlices(({ data }) => ({ data: data.subarray(8) }))],
  ["bytes that are no whole elements", withSlices(({ data }) => ({ data: data.subarray(1) }))],
  ["more bytes than its elements need", withSlices(({ data }) => ({ data: joined(data, 8) }))],
  ["a negative count", withSlices(() => ({ elementsInChunk: -1n, data: new Uint8Array(0) }))],
  ["no elements at all", withSlices(() => ({ elementsInChunk: 0n, data: new Uint8Array(0) }))],
  ["an element size of 0", withArrays({ elementSizeBytes: 0n })],
  ["a total that no memory holds", withArrays({ totalElements: 2n ** 61n })],
];

function joined(data: Uint8Array, more: number): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(data.length + more);
  longer.set(data);
  return longer;
}

for (const [what, script] of MALFORMED) {
  scenario("G16", what, async () => {
    const server = await scriptedServer({ checkStatus: [large], ...slices, ...script });
    const client: SortieClient = await clientOf(server);
    const error = await faultOf(client.result("job-1"));
    expect(error).toBeInstanceOf(TransferFaultError);
    expect(error.message).toMatch(/array/);
  });
}

scenario("G17", async () => {
  const server = await scriptedServer({
    checkStatus: [large],
    ...slices,
    getResultChunk: (request) => {
      const maxElements = request.maxElements > 700n ? 700n : request.maxElements;
      return slices.getResultChunk({ ...request, maxElements });
    },
  });
  expectSolution(await (await clientOf(server)).result("job-1"));
});

scenario("G18", async () => {
  const finishChunkedDownload = [fault(Code.Internal, "no such download")];
  const server = await scriptedServer({ checkStatus: [large], ...slices, finishChunkedDownload });
  expectSolution(await (await clientOf(server)).result("job-1"));
  expect(server.methods.at(-1)).toBe("finishChunkedDownload");
});
