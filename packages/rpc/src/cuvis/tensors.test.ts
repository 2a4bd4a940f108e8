// Rules of tensors between the wire and pipelines.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { cuvis } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import type { SharedMemory } from "./context.ts";
import { readBatch, readTensor, writeOutputs, writeTensor } from "./tensors.ts";

const { DType, InputBatchSchema, TensorSchema } = cuvis;

const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
const wire = (dtype: cuvis.DType, shape: number[], value: Uint8Array): cuvis.Tensor =>
  create(TensorSchema, { dtype, shape: shape.map(BigInt), payload: { case: "rawData", value } });
const shared = (name: string, byteOffset: number, byteSize: number, shape: number[]): cuvis.Tensor =>
  create(TensorSchema, {
    dtype: DType.UINT16,
    shape: shape.map(BigInt),
    payload: { case: "shmRef", value: { name, byteOffset: BigInt(byteOffset), byteSize: BigInt(byteSize) } },
  });

describe("a tensor of a client", () => {
  it.each([
    [DType.FLOAT32, "float32", Float32Array.of(1.5, -2)],
    [DType.FLOAT64, "float64", Float64Array.of(1.5, -2)],
    [DType.INT32, "int32", Int32Array.of(1, -2)],
    [DType.INT64, "int64", BigInt64Array.of(1n, -(2n ** 60n))],
    [DType.UINT8, "uint8", Uint8Array.of(1, 255)],
    [DType.BOOL, "bool", Uint8Array.of(1, 0)],
    [DType.UINT16, "uint16", Uint16Array.of(1, 65535)],
  ] as const)("of type %s is read as %s, and written the same", async (dtype, name, data) => {
    const read = await readTensor(wire(dtype, [1, 2], bytesOf(data)), "x");
    expect(read).toEqual({ dtype: name, shape: [1, 2], data });
    expect(writeTensor(read)).toEqual({ dtype, shape: [1n, 2n], payload: { case: "rawData", value: bytesOf(data) } });
  });

  it("of half floats is widened", async () => {
    // 1, -2, the smallest subnormal, infinity, zero with a sign
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x8000);
    const { dtype, data } = await readTensor(wire(DType.FLOAT16, [5], bytesOf(halves)), "x");
    expect(dtype).toBe("float32");
    expect([...data]).toEqual([1, -2, 2 ** -24, Number.POSITIVE_INFINITY, -0]);
  });

  it("is read from bytes that lie at any place of their buffer", async () => {
    const buffer = new Uint8Array(11);
    buffer.set(bytesOf(Float32Array.of(1, 2)), 3);
    expect((await readTensor(wire(DType.FLOAT32, [2], buffer.subarray(3)), "x")).data).toEqual(Float32Array.of(1, 2));
  });

  it("without a shape has one dimension", async () => {
    expect((await readTensor(wire(DType.INT32, [], bytesOf(Int32Array.of(7, 8, 9))), "x")).shape).toEqual([3]);
  });

  it.each([
    ["dtype 0", wire(DType.UNSPECIFIED, [1], new Uint8Array(4))],
    ["dtype 99", wire(99 as cuvis.DType, [1], new Uint8Array(4))],
    ["needs 8", wire(DType.FLOAT32, [2], new Uint8Array(4))],
    ["no whole number", wire(DType.FLOAT32, [], new Uint8Array(5))],
    ["no count", wire(DType.FLOAT32, [-1], new Uint8Array(4))],
  ])("is refused with the field and the fault: %s", async (text, tensor) => {
    await expect(readTensor(tensor, "inputs.cube")).rejects.toThrow(new RegExp(`inputs\\.cube.*${text}`));
  });
});

describe("a tensor in shared memory", () => {
  const memory: SharedMemory = {
    read: async (name, offset, bytes) =>
      name === "mine" ? bytesOf(Uint16Array.of(1, 2, 3, 4)).subarray(offset, offset + bytes) : undefined,
  };

  it("is what its bytes say", async () => {
    const read = await readTensor(shared("mine", 2, 4, [2]), "x", memory);
    expect(read).toEqual({ dtype: "uint16", shape: [2], data: Uint16Array.of(2, 3) });
    expect((await readTensor(shared("/mine", 0, 8, []), "x", memory)).shape).toEqual([4]);
  });

  it("of no size is empty, whether or not there is an object", async () => {
    expect((await readTensor(shared("nobody", 0, 0, [0, 3]), "x", memory)).shape).toEqual([0, 3]);
  });

  it.each([
    ["one segment", shared("../mine", 0, 4, [2])],
    ["one segment", shared("", 0, 4, [2])],
    ["one segment", shared("a/b", 0, 4, [2])],
    ["offset 1", shared("mine", 1, 4, [2])],
    ["needs 4", shared("mine", 0, 6, [2])],
    ["not found", shared("nobody", 0, 4, [2])],
  ])("is refused: %s", async (text, tensor) => {
    await expect(readTensor(tensor, "x", memory)).rejects.toThrow(text);
  });

  it("is not looked at where it is not allowed", async () => {
    await expect(readTensor(shared("mine", 0, 4, [2]), "x")).rejects.toThrow("--shared-memory");
  });
});

const batch = (init: MessageInitShape<typeof InputBatchSchema>) => readBatch(create(InputBatchSchema, init));
const one = wire(DType.INT64, [1], bytesOf(BigInt64Array.of(5n)));
const none = wire(DType.INT64, [0], new Uint8Array());

describe("a batch", () => {
  it("has its fields under the names of ports, and extra inputs win", async () => {
    const found = await batch({
      cube: one,
      rgbImage: one,
      mesuIndex: one,
      textPrompt: "x",
      extraInputs: { cube: none },
    });
    expect(Object.keys(found)).toEqual(["cube", "rgb_image", "mesu_index", "text_prompt"]);
    expect(found["cube"]).toMatchObject({ shape: [0] });
  });

  it("leaves out what is empty of what need not be there", async () => {
    expect(await batch({ frameId: none, mesuIndex: none, textPrompt: "" })).toEqual({});
    expect(await readBatch(undefined)).toEqual({});
  });

  it("has boxes and points as mappings", async () => {
    const found = await batch({
      bboxes: { boxes: [{ elementId: 1, xMin: 1, yMin: 2, xMax: 3, yMax: 4 }, { objectId: 9 }] },
      points: { points: [{ x: 1, y: 2, type: cuvis.PointType.NEGATIVE }, {}] },
    });
    expect(found).toEqual({
      bboxes: [
        { element_id: 1, x_min: 1, y_min: 2, x_max: 3, y_max: 4 },
        { element_id: 0, x_min: 0, y_min: 0, x_max: 0, y_max: 0, object_id: 9 },
      ],
      points: [
        { element_id: 0, x: 1, y: 2, type: "negative" },
        { element_id: 0, x: 0, y: 0, type: "neutral" },
      ],
    });
  });
});

describe("outputs", () => {
  it("go where their kind belongs, and objects nowhere", () => {
    const { outputs, metrics, unsupported } = writeOutputs(
      new Map<string, never>(
        Object.entries({
          number: 1.5,
          truth: true,
          whole: [1, 2],
          broken: [1, 2.5],
          empty: [],
          text: "x",
          mapping: { a: 1 },
          objects: [{ a: 1 }],
          strange: { dtype: "uint32", shape: [1], data: Uint32Array.of(1) },
        }) as never,
      ),
    );
    expect(metrics).toEqual({ number: 1.5 });
    expect(Object.keys(outputs ?? {})).toEqual(["truth", "whole", "broken", "empty"]);
    expect(outputs?.["truth"]).toEqual({ dtype: DType.BOOL, payload: { case: "rawData", value: Uint8Array.of(1) } });
    expect(outputs?.["whole"]).toMatchObject({ dtype: DType.INT64, shape: [2n] });
    expect(outputs?.["broken"]).toMatchObject({ dtype: DType.FLOAT32, shape: [2n] });
    expect(outputs?.["empty"]).toMatchObject({ dtype: DType.FLOAT32, shape: [0n] });
    expect(unsupported).toEqual(["strange"]);
  });
});
