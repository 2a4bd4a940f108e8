// Rules of safetensors files.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FormatError } from "../formats/errors.ts";
import { bytesSource } from "../formats/source.ts";
import { readCheckpoint, writeSafeTensorsCheckpoint } from "./checkpoint.ts";
import { readSafeTensors, writeSafeTensors } from "./safetensors.ts";
import { sampleCheckpoint } from "./testing/sample.ts";

const fixture = readFileSync(fileURLToPath(new URL("testing/plain.safetensors", import.meta.url)));

function fileOf(header: unknown, body = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.byteLength + body);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  out.set(json, 8);
  return out;
}

const f32 = (start: number, end: number, shape: unknown = [(end - start) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [start, end],
});

describe("safetensors", () => {
  it("reads a file of the reference library", async () => {
    const { stateDict } = await readCheckpoint(bytesSource("plain.safetensors", fixture));
    expect(stateDict!.get("n")!.get("a")).toEqual({
      dtype: "float32",
      shape: [2, 3],
      data: new Float32Array([0, 1, 2, 3, 4, 5]),
    });
    expect(stateDict!.get("n")!.get("b")).toEqual({ dtype: "bool", shape: [2], data: new Uint8Array([1, 0]) });
  });

  it("keeps a checkpoint whole, with stateless nodes and metadata", async () => {
    const sample = sampleCheckpoint();
    const back = await readCheckpoint(bytesSource("s", writeSafeTensorsCheckpoint(sample)));
    expect(back.stateDict).toEqual(sample.stateDict);
    expect(back.metadata["name"]).toBe("sample Ü");
  });

  it("is recognised whatever the length of its header", async () => {
    for (let length = 1; length < 400; length++) {
      const file = writeSafeTensorsCheckpoint({ stateDict: new Map([["n".repeat(length), new Map()]]), metadata: {} });
      expect((await readCheckpoint(bytesSource("s", file))).stateDict!.size).toBe(1);
    }
  });

  it("aligns each tensor to its elements", () => {
    const file = writeSafeTensors({
      tensors: new Map([
        ["a", { dtype: "uint8" as const, shape: [3], data: new Uint8Array(3) }],
        ["b", { dtype: "float64" as const, shape: [1], data: new Float64Array(1) }],
      ]),
      metadata: {},
    });
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
    expect(header.b.data_offsets).toEqual([0, 8]);
    expect((8 + length) % 8).toBe(0);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["is empty", new Uint8Array(3), /has 3 bytes/],
    [
      "declares a header longer than itself",
      new Uint8Array([255, 0, 0, 0, 0, 0, 0, 0]),
      /a header of 255 bytes; the file has 8/,
    ],
    ["declares a header of exabytes", new Uint8Array(8).fill(0x7f), /declares a header/],
    ["has a header that is no JSON", fileOf("{nope"), /no JSON/],
    ["has a list as header", fileOf([]), /no JSON object/],
    ["has an unknown dtype", fileOf({ a: { ...f32(0, 4), dtype: "C64" } }, 4), /dtype 'C64'; allowed are BOOL/],
    ["has a negative size", fileOf({ a: f32(0, 4, [-1]) }, 4), /no list of sizes/],
    ["has a shape beyond its bytes", fileOf({ a: f32(0, 4, [1e9, 1e9]) }, 4), /no list of sizes|need/],
    ["has offsets beyond its end", fileOf({ a: f32(0, 8) }, 4), /bytes 0 to 8 of 4/],
    ["has a hole", fileOf({ a: f32(4, 8) }, 8), /starts at byte 4; without holes or overlaps it starts at 0/],
    ["has overlapping tensors", fileOf({ a: f32(0, 8), b: f32(4, 8) }, 8), /starts at byte 4/],
    ["has bytes after its tensors", fileOf({ a: f32(0, 4) }, 8), /end at byte 4 of 8/],
    ["has a tensor that is no object", fileOf({ a: 1 }), /not described by an object/],
  ])("a file that %s is refused", async (_, bytes, message) => {
    await expect(readSafeTensors(bytesSource("s.safetensors", bytes))).rejects.toThrow(FormatError);
    await expect(readSafeTensors(bytesSource("s.safetensors", bytes))).rejects.toThrow(message);
  });

  it("a tensor without a node is refused when read as a checkpoint", async () => {
    await expect(readCheckpoint(bytesSource("s", fileOf({ a: f32(0, 4) }, 4)))).rejects.toThrow(
      "tensor 'a' belongs to no node",
    );
  });
});
