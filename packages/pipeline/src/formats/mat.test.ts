// Rules of MATLAB 5 files: every numeric class, compressed or not, either byte order; everything else refused by its name.
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type DType, readerOf } from "./array.ts";
import { FormatError } from "./errors.ts";
import { describeMat, readMat } from "./mat.ts";
import { bytesSource } from "./source.ts";
import { counting, fixture, fixtureBytes } from "./testing/files.ts";

const classes: [string, DType, (i: number) => number][] = [
  ["int16", "int16", (i) => i - 5],
  ["double", "float64", (i) => (i - 5) / 4],
  ["single", "float32", (i) => i - 5],
  ["uint8", "uint8", (i) => i],
  ["int64", "int64", (i) => (i - 5) * 2 ** 40],
  ["uint64", "uint64", (i) => (i - 5) & 0xff],
  ["uint16", "uint16", (i) => i],
  ["int8", "int8", (i) => i - 5],
  ["int32", "int32", (i) => i - 5],
  ["uint32", "uint32", (i) => i],
  ["flag", "bool", (i) => (i - 5 > 3 ? 1 : 0)],
];

describe.each(["plain.mat", "compressed.mat"])("a MATLAB 5 file (%s)", (file) => {
  it.each(classes)("gives %s as %s in row-major order", async (name, dtype, value) => {
    const array = await readMat(fixture(file), name);
    expect(array).toMatchObject({ dtype, shape: [2, 3, 4] });
    const read = readerOf(array);
    expect(Array.from({ length: 24 }, (_, i) => read(i))).toEqual(Array.from({ length: 24 }, (_, i) => value(i)));
  });

  it("gives a scalar as an array of one by one", async () => {
    expect(await readMat(fixture(file), "scalar")).toEqual({
      dtype: "uint8",
      shape: [1, 1],
      data: new Uint8Array([7]),
    });
  });

  it("lists its variables with their classes and sizes", async () => {
    const variables = await describeMat(fixture(file));
    expect(variables.slice(0, 2)).toEqual([
      { name: "int16", className: "int16", shape: [2, 3, 4], dtype: "int16" },
      { name: "double", className: "double", shape: [2, 3, 4], dtype: "float64" },
    ]);
    expect(variables.map(({ name }) => name)).toContain("cells");
  });

  it.each([
    ["text", "is a char; allowed are full numeric arrays"],
    ["record", "is a struct"],
    ["cells", "is a cell"],
    ["wave", "is complex; allowed are real numbers"],
  ])("refuses the variable %s", async (name, reason) => {
    await expect(readMat(fixture(file), name)).rejects.toThrow(`${file}: variable '${name}' ${reason}`);
  });

  it("names its variables when asked for another", async () => {
    await expect(readMat(fixture(file), "cube")).rejects.toThrow(/has no variable 'cube'; it has int16, double,/);
  });

  it("that is cut off anywhere is refused", async () => {
    const bytes = fixtureBytes(file);
    for (let length = 0; length < bytes.byteLength; length += 37) {
      await expect(readMat(bytesSource(file, bytes.subarray(0, length)), "wave")).rejects.toThrow(FormatError);
    }
  });
});

describe("a big-endian MATLAB 5 file", () => {
  it("gives whole doubles as the integers that they are stored as", async () => {
    expect(await readMat(fixture("big.mat"), "d")).toEqual(counting("uint8", [2, 3, 4]));
  });

  it("gives a double array stored as doubles", async () => {
    expect(await readMat(fixture("big.mat"), "float")).toEqual(counting("float64", [2, 3, 4]));
  });

  it("gives elements that stand within their tag", async () => {
    expect(await readMat(fixture("big.mat"), "one")).toEqual({
      dtype: "uint16",
      shape: [1, 2],
      data: new Uint16Array([1, 258]),
    });
  });
});

describe("what is no MATLAB 5 file", () => {
  const plain = fixtureBytes("plain.mat");
  /** The same file with 32 bits changed. */
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = Uint8Array.from(plain);
    new DataView(bytes.buffer).setUint32(at, value, true);
    return bytes;
  };
  const header = plain.subarray(0, 128);
  const element = (type: number, body: Uint8Array): Uint8Array => {
    const tag = new Uint8Array(8);
    new DataView(tag.buffer).setUint32(0, type, true);
    new DataView(tag.buffer).setUint32(4, body.byteLength, true);
    return Buffer.concat([header, tag, body]);
  };
  const hdf5 = Buffer.concat([
    Buffer.from("MATLAB 7.3 MAT-file, Platform".padEnd(124)),
    Buffer.from([0, 2]),
    Buffer.from("IM"),
  ]);

  it.each<[string, Uint8Array, RegExp]>([
    ["of version 7.3", hdf5, /version 7\.3 \(HDF5\) file, which is not read; save it with -v7/],
    ["of version 4", fixtureBytes("version4.mat"), /version 4 file/],
    ["that is empty", new Uint8Array(0), /has 0 bytes/],
    ["without a byte order", changed(124, 0x20200100), /no byte order 'IM' or 'MI'/],
    ["of an unknown version", changed(124, 0x4d490300), /version 0x300; allowed is 0x100/],
    ["with an element of another type", changed(128, 9), /element of type 9 at byte 128; allowed are 14/],
    ["with an element beyond its end", changed(132, 0x7fffffff), /declares 2147483647 bytes at byte 136/],
    ["with an array of no class", changed(144, 99), /class 99/],
    ["with wrong flags", changed(136, 5), /array flags has type 5/],
    ["with sizes beyond all memory", changed(160, 0x7fffffff), /needs \d+ bytes as int16, and declares 48/],
    ["with a negative size", changed(160, 0xffffffff), /no possible size/],
    ["with elements of no numeric type", changed(192, 99), /stored as type 99, which holds no numbers/],
    ["with a deflate stream that is broken", element(15, new Uint8Array([1, 2, 3, 4])), /broken deflate stream/],
    [
      "with a deflate stream of something else",
      element(15, deflateSync(new Uint8Array([9, 0, 0, 0, 4, 0, 0, 0]))),
      /compressed element of type 9/,
    ],
    [
      "with a deflate stream that claims too much",
      element(15, deflateSync(new Uint8Array([14, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]))),
      /can hold at most/,
    ],
    [
      "with a deflate stream that ends too early",
      element(15, deflateSync(new Uint8Array([14, 0, 0, 0, 56, 0, 0, 0, 6, 0, 0, 0, 8, 0, 0, 0]))),
      /fewer bytes than its header declares/,
    ],
  ])("a file %s is refused", async (_, bytes, message) => {
    await expect(readMat(bytesSource("s.mat", bytes), "int16")).rejects.toThrow(FormatError);
    await expect(readMat(bytesSource("s.mat", bytes), "int16")).rejects.toThrow(message);
  });
});
