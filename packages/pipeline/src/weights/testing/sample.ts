// A checkpoint with every element type. torch 2.13 has read the file that is made of it (written.pt) with
// weights_only=True and found each tensor bit-equal; see check_written.py.
import { allocate, DTYPES, type DType, type NumericArray } from "../../formats/array.ts";
import type { Checkpoint } from "../checkpoint.ts";

export function sampleTensor(dtype: DType): NumericArray {
  const data = allocate(dtype, 6);
  for (const [i, value] of [0, 1, 0, 1, 1, 0].entries()) {
    data[i] = data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(value * 77) : value * 77;
    if (dtype === "bool") data[i] = value;
  }
  return { dtype, shape: [2, 3], data };
}

export function sampleCheckpoint(): Checkpoint {
  const all = new Map(DTYPES.map((dtype) => [dtype, sampleTensor(dtype)]));
  const bits = new Uint32Array([0x7fc12345, 0x80000000, 1, 0x7f800000]);
  return {
    stateDict: new Map([
      ["all", all],
      ["stateless", new Map()],
      [
        "x-1",
        new Map<string, NumericArray>([
          ["scalar", { dtype: "float32", shape: [], data: new Float32Array([0.98993802]) }],
          ["empty", { dtype: "float32", shape: [0, 0], data: new Float32Array(0) }],
          ["net.fc1.weight", { dtype: "float32", shape: [4], data: new Float32Array(bits.buffer) }],
        ]),
      ],
    ]),
    metadata: {
      name: "sample Ü",
      tags: ["a", "b"],
      numbers: [0, 255, 256, -1, 2 ** 31, -(2 ** 40), 0.5, -0],
      none: null,
      yes: true,
      no: false,
      map: new Map<string | number, number>([["k", 1]]),
    },
  };
}
