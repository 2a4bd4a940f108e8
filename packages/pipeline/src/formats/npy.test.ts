// Rules of `.npy` and `.npz` files.
import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { DTYPES, type DType, type NumericArray } from "./array.ts";
import { FormatError } from "./errors.ts";
import { describeNpy, readNpy, writeNpy } from "./npy.ts";
import { describeNpz, readNpz } from "./npz.ts";
import { bytesSource } from "./source.ts";
import { bytesInOrder, counting, fixture, fixtureBytes } from "./testing/files.ts";

function npy(header: string, body: Uint8Array = new Uint8Array(0), version = 1): Uint8Array {
  const text = Buffer.from(header, version === 3 ? "utf8" : "latin1");
  const head = Buffer.alloc(version === 1 ? 10 : 12);
  head.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  if (version === 1) head.writeUInt16LE(text.length, 8);
  else head.writeUInt32LE(text.length, 8);
  return Buffer.concat([head, text, body]);
}
const literal = (descr: string, shape: string, fortran = "False") =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }\n`;
const read = (bytes: Uint8Array) => readNpy(bytesSource("c.npy", bytes));
const whole = (array: NumericArray) => Buffer.concat(writeNpy(array));

const KIND: Partial<Record<DType, string>> = {
  bool: "b1",
  uint8: "u1",
  int8: "i1",
  uint16: "u2",
  int16: "i2",
  uint32: "u4",
  int32: "i4",
  uint64: "u8",
  int64: "i8",
  float16: "f2",
  float32: "f4",
  float64: "f8",
};
const numpyTypes = DTYPES.filter((dtype) => KIND[dtype]);

describe("a .npy file", () => {
  it.each(numpyTypes)("of %s is read in both byte orders and both orders of axes", async (dtype) => {
    const array = counting(dtype, [2, 3, 4]);
    for (const bigEndian of [false, true]) {
      const descr = `${bigEndian ? ">" : "<"}${KIND[dtype]}`;
      expect(await read(npy(literal(descr, "2, 3, 4"), bytesInOrder(array, [0, 1, 2], bigEndian)))).toEqual(array);
      expect(await read(npy(literal(descr, "2, 3, 4", "True"), bytesInOrder(array, [2, 1, 0], bigEndian)))).toEqual(
        array,
      );
    }
  });

  it.each([1, 2, 3])("of version %i is read", async (version) => {
    const array = counting("uint16", [3]);
    expect(await read(npy(literal("<u2", "3,"), bytesInOrder(array, [0]), version))).toEqual(array);
  });

  it.each<[string, number[]]>([
    ["", []],
    ["0, 3", [0, 3]],
    ["1L, 2L", [1, 2]],
    ["2,", [2]],
  ])("of shape (%s) is read", async (text, shape) => {
    const array = counting("int32", shape);
    expect(
      await read(
        npy(
          literal("<i4", text),
          bytesInOrder(
            array,
            shape.map((_, i) => i),
          ),
        ),
      ),
    ).toEqual(array);
  });

  it.each(numpyTypes)("of ours is read back equal (%s)", async (dtype) => {
    const array = counting(dtype, [5, 2]);
    const file = whole(array);
    expect(await read(file)).toEqual(array);
    const { bytes } = await describeNpy(bytesSource("c.npy", file));
    expect(bytes % 64).toBe(0);
  });

  it("of ours has the bytes that NumPy writes", () => {
    const [header] = writeNpy(counting("uint16", [2, 3, 4]));
    const text = "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3, 4), }".padEnd(117);
    expect(Buffer.from(header)).toEqual(
      Buffer.concat([Buffer.from([0x93]), Buffer.from("NUMPY\x01\x00v\x00"), Buffer.from(`${text}\n`)]),
    );
  });

  it("of ours does not copy the elements", () => {
    const array = counting("uint16", [2]);
    expect(writeNpy(array)[1].buffer).toBe(array.data.buffer);
  });

  it("of bfloat16 cannot be written, since NumPy has no such type", () => {
    expect(() => writeNpy(counting("bfloat16", [1]))).toThrow("NumPy has no type for bfloat16");
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["is empty", new Uint8Array(0), /has 0 bytes/],
    ["does not start as one", new Uint8Array(20), /does not start with \\x93NUMPY/],
    ["has version 4", npy(literal("<u2", "1,"), new Uint8Array(2), 4), /version 4\.0; allowed are 1, 2 and 3/],
    ["declares a header longer than itself", npy("{}").fill(0xff, 8, 10), /a header of 65535 bytes, and the file has/],
    ["declares a header of gigabytes", npy("{}", undefined, 2).fill(0xff, 8, 12), /a header of 4294967295 bytes/],
    ["has a header that is no mapping", npy("[1, 2]"), /no mapping/],
    ["has no descr", npy("{'fortran_order': False, 'shape': (1,)}"), /without 'descr'/],
    ["has an unknown order", npy(literal("<u2", "1,", "Maybe")), /neither True nor False/],
    ["has no shape", npy("{'descr': '<u2', 'fortran_order': False}"), /no tuple of sizes/],
    ["has a negative size", npy(literal("<u2", "-1,")), /no tuple of sizes/],
    ["has a shape beyond all sizes", npy(literal("<u2", "9007199254740991, 9007199254740991")), /no possible size/],
    [
      "declares more elements than it has",
      npy(literal("<u2", "1000000, 1000000"), new Uint8Array(8)),
      /needs 2000000000000 bytes after the header; there are 8/,
    ],
    [
      "is cut off by one byte",
      npy(literal("<u2", "2,"), new Uint8Array(3)),
      /needs 4 bytes after the header; there are 3/,
    ],
    [
      "holds complex numbers",
      npy(literal("<c8", "1,"), new Uint8Array(8)),
      /type '<c8' \(complex numbers\); allowed are b1/,
    ],
    ["holds Python objects", npy(literal("|O", "1,"), new Uint8Array(8)), /Python objects/],
    ["holds text", npy(literal("<U3", "1,"), new Uint8Array(12)), /\(text\)/],
    ["holds records", npy("{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (1,)}"), /structured type/],
    ["holds long doubles", npy(literal("<f16", "1,"), new Uint8Array(16)), /type '<f16'; allowed/],
  ])("that %s is refused", async (_, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(FormatError);
    await expect(read(bytes)).rejects.toThrow(message);
    await expect(read(bytes)).rejects.toThrow(/^c\.npy: /);
  });
});

describe("a .npz file", () => {
  const cube = { ...counting("int16", [2, 3, 4]), data: Int16Array.from({ length: 24 }, (_, i) => i - 5) };

  it.each(["stored.npz", "deflated.npz"])("is read by name (%s)", async (name) => {
    expect(await readNpz(fixture(name), "cube")).toEqual(cube);
    expect((await readNpz(fixture(name), "mask")).dtype).toBe("bool");
  });

  it.each(["stored.npz", "deflated.npz"])("lists its arrays without reading them (%s)", async (name) => {
    const headers = await describeNpz(fixture(name));
    expect([...headers].map(([key, { dtype, shape }]) => [key, dtype, shape])).toEqual([
      ["cube", "int16", [2, 3, 4]],
      ["mask", "bool", [2, 3]],
    ]);
  });

  it("names its arrays when asked for another", async () => {
    await expect(readNpz(fixture("stored.npz"), "data")).rejects.toThrow(
      "stored.npz: has no array 'data'; it has cube, mask",
    );
  });

  it.each(["stored.npz", "deflated.npz"])("with a flipped bit is refused (%s)", async (name) => {
    const bytes = Uint8Array.from(fixtureBytes(name));
    const at = name === "stored.npz" ? bytes.indexOf(0x0a) + 20 : 70;
    bytes[at]! ^= 0x55;
    await expect(readNpz(bytesSource(name, bytes), "cube")).rejects.toThrow(FormatError);
  });

  it("that declares more than its deflate stream could hold is refused before anything is allocated", async () => {
    const packed = deflateRawSync(new Uint8Array(10));
    const name = Buffer.from("cube.npy");
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(8, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(0xf0000000, 24);
    central.writeUInt16LE(name.length, 28);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(1, 10);
    end.writeUInt32LE(46 + name.length, 12);
    end.writeUInt32LE(30 + name.length + packed.length, 16);
    const file = Buffer.concat([local, name, packed, central, name, end]);
    await expect(readNpz(bytesSource("bomb.npz", file), "cube")).rejects.toThrow(
      /entry 'cube\.npy' declares 4026531840 bytes/,
    );
  });
});
