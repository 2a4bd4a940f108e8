// Group E: which way a problem takes, and how large its chunks are.
import { describe, expect } from "vitest";
import {
  type ArrayName,
  bytesOf,
  fieldIdOf,
  type Model,
  problemOf,
  smallModel,
  tinyLp,
} from "../conformance/models.ts";
import { clientOf, PROTOCOLS, scenario } from "./harness.ts";
import { messageOf, submits, uploads } from "./messages.ts";
import { type ScriptedServer, scriptedServer } from "./scripted-server.ts";

/** Columns enough for several chunks of 4096 bytes in every array, names and types too. */
function wideModel(): Model {
  const columns = Array.from({ length: 2000 }, (_, i) => i);
  const rows = [0, 1, 2].map((row) => [columns.map((i) => (i % 3 === row ? 1 + i : 0)), 0, 1e6] as const);
  const model = smallModel({ c: columns, rows, types: columns.map(() => 1) });
  return {
    ...model,
    arrays: { ...model.arrays, variable_names: columns.map((i) => `column-${i}`), row_names: ["a", "", "c"] },
  };
}

/** Everything but the row types, which the model says by its row bounds. */
const SENT: readonly ArrayName[] = [
  "A_values",
  "A_indices",
  "A_offsets",
  "c",
  "variable_lower_bounds",
  "variable_upper_bounds",
  "constraint_lower_bounds",
  "constraint_upper_bounds",
  "variable_types",
  "variable_names",
  "row_names",
];

/** Puts the chunks together as the server has them; every byte must have come exactly once. */
function received(server: ScriptedServer): Map<number, Uint8Array> {
  const arrays = new Map<number, { bytes: Uint8Array; covered: Uint8Array }>();
  for (const { chunk, uploadId } of server.requestsOf("sendArrayChunk")) {
    expect(uploadId).toBe("upload-1");
    if (!chunk) throw new Error("a request without a chunk");
    const size = elementBytes(chunk.fieldId);
    const length = Number(chunk.totalElements) * size;
    const array = arrays.get(chunk.fieldId) ?? { bytes: new Uint8Array(length), covered: new Uint8Array(length) };
    arrays.set(chunk.fieldId, array);
    expect(array.bytes.length).toBe(length);
    const at = Number(chunk.elementOffset) * size;
    array.bytes.set(chunk.data, at);
    for (let i = at; i < at + chunk.data.length; i++) array.covered[i] = (array.covered[i] ?? 0) + 1;
  }
  for (const { covered } of arrays.values()) expect(covered.every((times) => times === 1)).toBe(true);
  return new Map([...arrays].map(([id, { bytes }]) => [id, bytes]));
}

const elementBytes = (fieldId: number): number => {
  if (fieldId <= 1 || fieldId === 11) return 1;
  return [3, 4, 12, 16, 17].includes(fieldId) ? 4 : 8;
};

const expectWhole = (server: ScriptedServer, model: Model) => {
  const arrays = received(server);
  expect([...arrays.keys()].sort()).toEqual(SENT.map(fieldIdOf).sort());
  for (const name of SENT) expect(arrays.get(fieldIdOf(name)), name).toEqual(bytesOf(model, name).slice());
};

describe.each(PROTOCOLS)("over %s", (protocol) => {
  scenario("E4", async () => {
    const server = await scriptedServer(submits, { protocol });
    const client = await clientOf(server);
    const model = tinyLp({ objectiveOffset: 3, problemName: "tiny" });
    expect(await client.submit(messageOf(model))).toBe("job-1");
    expect(server.methods).toEqual(["submitJob"]);
    const [request] = server.requestsOf("submitJob");
    expect(request?.jobData).toMatchObject({
      case: "lpRequest",
      value: {
        header: { version: 1, problemCategory: 0 },
        problem: problemOf(model),
        settings: { timeLimit: Infinity },
      },
    });
  });

  scenario("E5", async () => {
    const server = await scriptedServer(uploads(), { protocol });
    const client = await clientOf(server, { unaryUpToBytes: 0, chunkBytes: 4096 });
    const model = wideModel();
    expect(await client.submit(messageOf(model))).toBe("job-1");
    const sends = server.methods.slice(1, -1);
    expect(server.methods).toEqual(["startChunkedUpload", ...sends, "finishChunkedUpload"]);
    expect(new Set(sends)).toEqual(new Set(["sendArrayChunk"]));
    expect(server.requestsOf("finishChunkedUpload")).toMatchObject([{ uploadId: "upload-1" }]);
    expect(server.requestsOf("startChunkedUpload")).toMatchObject([
      { problemHeader: { header: { version: 1, problemCategory: 1 }, variableNames: [], rowNames: [] } },
    ]);
    expectWhole(server, model);
    for (const { chunk } of server.requestsOf("sendArrayChunk")) expect(chunk?.data.length).toBeLessThanOrEqual(4096);
  });
});

scenario("E4", "the estimate is not above the threshold", async () => {
  // 8 × (4 + 2 + 4 + 4) for A, c and bounds, 5 × (4 + 3) for indices and offsets, 512 for the rest.
  const estimate = 659;
  const server = await scriptedServer({ ...submits, ...uploads() });
  const at = await clientOf(server, { unaryUpToBytes: estimate });
  await at.submit(messageOf(tinyLp()));
  expect(server.methods).toEqual(["submitJob"]);
  const below = await clientOf(server, { unaryUpToBytes: estimate - 1 });
  await below.submit(messageOf(tinyLp()));
  expect(server.methods[1]).toBe("startChunkedUpload");
});

scenario("E5", "array after array in the stock client's order, if one chunk is in flight", async () => {
  const server = await scriptedServer(uploads());
  const client = await clientOf(server, { unaryUpToBytes: 0, parallelChunks: 1 });
  await client.submit(messageOf(wideModel()));
  const order = server.requestsOf("sendArrayChunk").map(({ chunk }) => chunk?.fieldId);
  expect(order).toEqual(SENT.map(fieldIdOf));
});

scenario("E6", async () => {
  const server = await scriptedServer(uploads(4096), { maxMessageBytes: 4096 });
  const client = await clientOf(server, { unaryUpToBytes: 0 });
  const model = wideModel();
  await client.submit(messageOf(model));
  expectWhole(server, model);
  for (const { request, bytes } of server.callsOf("sendArrayChunk")) {
    const { data, elementOffset, totalElements, fieldId } = request.chunk ?? expect.fail("a request without a chunk");
    expect(bytes).toBeLessThanOrEqual(4096);
    expect(data.length).toBeLessThanOrEqual(3686);
    const isLast =
      Number(elementOffset) * elementBytes(fieldId) + data.length === Number(totalElements) * elementBytes(fieldId);
    if (elementBytes(fieldId) === 8 && !isLast) expect(data.length).toBe(460 * 8);
  }
});

scenario("E6", "an element larger than the budget still travels, one in a chunk", async () => {
  const server = await scriptedServer(uploads());
  const client = await clientOf(server, { unaryUpToBytes: 0, chunkBytes: 1 });
  const model = tinyLp();
  await client.submit(messageOf(model));
  const objective = server.requestsOf("sendArrayChunk").filter(({ chunk }) => chunk?.fieldId === fieldIdOf("c"));
  expect(objective.map(({ chunk }) => chunk?.data.length)).toEqual([8, 8]);
});
