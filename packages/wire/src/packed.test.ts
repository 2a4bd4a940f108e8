// Rules of packed numbers.
import { describe, expect, it } from "vitest";
import { MessageBuilder } from "./builder.ts";
import { WireFormatError } from "./errors.ts";
import { asBytes, decodeArrays, doublesFromBytes, int32sFromVarints, varintsFromInt32s } from "./packed.ts";
import { hex, toHex } from "./testing/golden.ts";

const doubles = { number: 1, name: "values", kind: "double" } as const;
const ints = { number: 2, name: "indices", kind: "int32" } as const;
const decode = (...segments: Uint8Array[]) => decodeArrays(segments, "M", [doubles, ints], () => {});

describe("packed doubles", () => {
  it("are a view where memory is aligned, and a copy where it is not", () => {
    const memory = new Uint8Array(24);
    memory.set(asBytes(Float64Array.of(1.5)), 8);
    memory.set(asBytes(Float64Array.of(2.5)), 1);
    const aligned = doublesFromBytes(memory.subarray(8, 16));
    expect(aligned.buffer).toBe(memory.buffer);
    memory.set(asBytes(Float64Array.of(1.5)), 8);
    expect(aligned[0]).toBe(1.5);
    memory.set(asBytes(Float64Array.of(2.5)), 1);
    const copied = doublesFromBytes(memory.subarray(1, 9));
    expect(copied.buffer).not.toBe(memory.buffer);
    expect(copied[0]).toBe(2.5);
  });

  it("keep every bit: NaN payloads, minus zero, infinities, subnormals", () => {
    const bits = hex("010000000000f87f0000000000000080000000000000f0ff0100000000000000");
    for (const shift of [0, 3]) {
      const memory = new Uint8Array(bits.length + shift);
      memory.set(bits, shift);
      expect(toHex(asBytes(doublesFromBytes(memory.subarray(shift))))).toBe(toHex(bits));
    }
  });

  it("refuse a length that is not a multiple of 8", () => {
    expect(() => doublesFromBytes(new Uint8Array(12), "A_values")).toThrow(/A_values: 12 bytes .* multiple of 8/);
  });
});

describe("packed varints", () => {
  it.each([
    [0, "00"],
    [127, "7f"],
    [128, "8001"],
    [2 ** 31 - 1, "ffffffff07"],
    [-1, "ffffffffffffffffff01"],
    [-(2 ** 31), "80808080f8ffffffff01"],
  ])("%d is %s", (value, text) => {
    expect(toHex(varintsFromInt32s(Int32Array.of(value)))).toBe(text);
    expect(int32sFromVarints(hex(text))).toEqual(Int32Array.of(value));
  });

  it("are cut to 32 bits, as protobuf demands of int32", () => {
    // 2^32 + 5, and -1 written in five bytes.
    expect(int32sFromVarints(hex("8580808010ffffffff0f"))).toEqual(Int32Array.of(5, -1));
  });

  it.each([
    ["cut off", "0180", /cut off/],
    ["longer than 10 bytes", "ffffffffffffffffffff01", /longer than 10 bytes/],
  ])("refuse a varint that is %s", (_what, text, message) => {
    expect(() => int32sFromVarints(hex(text))).toThrow(WireFormatError);
    expect(() => int32sFromVarints(hex(text))).toThrow(message);
  });
});

describe("a repeated number field", () => {
  const one = asBytes(Float64Array.of(1));
  const twoThree = asBytes(Float64Array.of(2, 3));

  it("in one packed run is not copied when aligned", () => {
    // The tag and the length take two bytes, so the run starts at 8 when the message starts at 6.
    const memory = new Uint8Array(24);
    const message = memory.subarray(6);
    message.set(new MessageBuilder().bytes(1, twoThree).finish());
    const array = decode(message.subarray(0, 18)).get(1)!;
    expect(array).toEqual(Float64Array.of(2, 3));
    expect(array.buffer).toBe(memory.buffer);
  });

  it("in several runs and single values is put together in order, across segments", () => {
    const first = new MessageBuilder().double(1, 7).bytes(2, hex("0102")).bytes(1, twoThree).finish();
    const second = new MessageBuilder().varint(2, -4).bytes(1, one).double(1, 9).bytes(2, hex("05")).finish();
    const arrays = decode(first, second);
    expect(arrays.get(1)).toEqual(Float64Array.of(7, 2, 3, 1, 9));
    expect(arrays.get(2)).toEqual(Int32Array.of(1, 2, -4, 5));
  });

  it("that is single values only is decoded as well", () => {
    const bytes = new MessageBuilder().varint(2, 3).varint(2, 4).double(1, -0).finish();
    expect(decode(bytes).get(2)).toEqual(Int32Array.of(3, 4));
    expect(Object.is(decode(bytes).get(1)![0], -0)).toBe(true);
  });

  it("that occurs empty is an empty array, and one that does not occur is absent", () => {
    const arrays = decode(new MessageBuilder().bytes(2, new Uint8Array(0)).finish());
    expect(arrays.get(2)).toEqual(new Int32Array(0));
    expect(arrays.has(1)).toBe(false);
  });

  it("of another wire type is refused", () => {
    expect(() => decode(new MessageBuilder().varint(1, 1).finish())).toThrow(/M\.values: has wire type varint/);
    expect(() => decode(new MessageBuilder().double(2, 1).finish())).toThrow(/M\.indices: has wire type 64-bit/);
  });
});
