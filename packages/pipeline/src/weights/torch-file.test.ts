// Rules of `.pt` files: what torch writes is read, what we write is what torch has read, and nothing in a file is executed.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { bytesOf, DTYPES, type DType, itemBytes, type NumericArray, readerOf, swapBytes } from "../formats/array.ts";
import { FormatError } from "../formats/errors.ts";
import { bytesSource } from "../formats/source.ts";
import { readZipDirectory } from "../formats/zip.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { changeEntries, spell, torchFileOf } from "./testing/archive.ts";
import { sampleCheckpoint, sampleTensor } from "./testing/sample.ts";
import { readTorch, writeTorch } from "./torch-file.ts";

const fixture = (name: string): Uint8Array => readFileSync(fileURLToPath(new URL(`testing/${name}`, import.meta.url)));
const read = (bytes: Uint8Array, name = "w.pt") => readTorch(bytesSource(name, bytes));
const numbers = (tensor: NumericArray): number[] =>
  Array.from({ length: tensor.data.length }, (_, i) => readerOf(tensor)(i));

async function stateOf(name: string, node: string): Promise<ReadonlyMap<string, NumericArray>> {
  return (await readCheckpoint(bytesSource(name, fixture(name)))).stateDict!.get(node)!;
}

describe("a file that torch wrote", () => {
  it.each(DTYPES)("holds %s tensors", async (dtype: DType) => {
    const tensor = (await stateOf("dtypes.pt", "node")).get(dtype)!;
    expect(tensor.dtype).toBe(dtype);
    expect(tensor.shape).toEqual([2, 3]);
    expect(numbers(tensor)).toEqual(dtype === "bool" ? [0, 1, 1, 1, 1, 1] : [0, 1, 2, 3, 100, 127]);
  });

  it("keeps NaN, infinity, the sign of zero and denormals", async () => {
    const special = (await stateOf("dtypes.pt", "node")).get("special")!;
    expect(numbers(special)).toEqual([Number.NaN, Number.POSITIVE_INFINITY, -0, 2 ** -149]);
  });

  it("holds plain metadata of every kind", async () => {
    const { metadata, stateDict } = await readCheckpoint(bytesSource("dtypes.pt", fixture("dtypes.pt")));
    expect([...stateDict!.keys()]).toEqual(["node", "node-1"]);
    expect(stateDict!.get("node-1")!.size).toBe(0);
    expect(metadata).toEqual({
      name: "all dtypes",
      tags: ["a", "b"],
      pair: [1, -2, 300, 70000, 2 ** 40, -(2n ** 62n)],
      triple: [1, 2, 3],
      scale: 0.5,
      none: null,
      yes: true,
      no: false,
      text: "Grüße 波長",
      nested: new Map([["k", [1, [2]]]]),
      7: "seven",
    });
  });

  it("gives strided looks at a shared storage in row-major order", async () => {
    const views = await stateOf("views.pt", "views");
    const values = (key: string) => ({ shape: views.get(key)!.shape, values: numbers(views.get(key)!) });
    expect(values("transposed").shape).toEqual([6, 4]);
    expect(values("transposed").values.slice(0, 5)).toEqual([0, 6, 12, 18, 1]);
    expect(values("part")).toEqual({ shape: [2, 3], values: [7, 9, 11, 13, 15, 17] });
    expect(values("row")).toEqual({ shape: [6], values: [12, 13, 14, 15, 16, 17] });
    expect(values("scalar")).toEqual({ shape: [], values: [23] });
    expect(values("expanded")).toEqual({
      shape: [3, 6],
      values: [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5],
    });
    expect(values("empty")).toEqual({ shape: [0, 6], values: [] });
  });

  it("shares one buffer among the contiguous tensors of one storage", async () => {
    const views = await stateOf("views.pt", "views");
    expect(views.get("row")!.data.buffer).toBe(views.get("base")!.data.buffer);
  });

  it("is refused where it holds a whole module, naming the class", async () => {
    await expect(read(fixture("module.pt"), "module.pt")).rejects.toThrow(
      /^module\.pt: its pickle names the global 'torch\.nn\.modules\.linear\.Linear', which is refused/,
    );
  });
});

describe("78. a file of ours", () => {
  it("is byte for byte the file that torch has read with weights_only=True", () => {
    expect(Buffer.from(writeCheckpoint(sampleCheckpoint(), "written")).equals(fixture("written.pt"))).toBe(true);
  });

  it("79. reads back bit-equal, with metadata and empty entries", async () => {
    const sample = sampleCheckpoint();
    const back = await readCheckpoint(bytesSource("w.pt", writeCheckpoint(sample)));
    expect(back).toEqual(sample);
    for (const [node, state] of sample.stateDict!) {
      for (const [key, tensor] of state) {
        const found = back.stateDict!.get(node)!.get(key)!;
        expect(Buffer.from(bytesOf(found.data)).equals(Buffer.from(bytesOf(tensor.data)))).toBe(true);
      }
    }
  });

  it("starts each storage at a multiple of 64 bytes", async () => {
    const file = writeCheckpoint(sampleCheckpoint());
    const view = new DataView(file.buffer);
    for (const { headerOffset } of (await readZipDirectory(bytesSource("w.pt", file))).values()) {
      const start =
        headerOffset + 30 + view.getUint16(headerOffset + 26, true) + view.getUint16(headerOffset + 28, true);
      expect(start % 64).toBe(0);
    }
  });
});

describe("the byte order on record", () => {
  it.each(DTYPES)("is followed for %s", async (dtype: DType) => {
    const big = await changeEntries(writeTorch(sampleTensor(dtype)), (name, bytes) => {
      if (name.endsWith("byteorder")) return spell("big");
      if (name.includes("/data/")) swapBytes(bytes, itemBytes(dtype));
      return bytes;
    });
    expect(await read(big)).toEqual(sampleTensor(dtype));
  });

  it("is little-endian where there is none", async () => {
    const without = await changeEntries(writeTorch(sampleTensor("int32")), (name, bytes) =>
      name.endsWith("byteorder") ? undefined : bytes,
    );
    expect(await read(without)).toEqual(sampleTensor("int32"));
  });

  it("is refused when it is neither", async () => {
    const odd = await changeEntries(writeTorch(sampleTensor("int32")), (name, bytes) =>
      name.endsWith("byteorder") ? spell("middle") : bytes,
    );
    await expect(read(odd)).rejects.toThrow("entry 'byteorder' says 'middle'; allowed are 'little' and 'big'");
  });
});

// "\x80\x02" is the protocol, "c" names a global, "R" calls, "." ends.
const PROTO = "\x80\x02";
const TENSOR = "ctorch._utils\n_rebuild_tensor_v2\n";
const storage = (type: string, length: number, key = "0") =>
  `(X\x07\0\0\0storagec${type}\nX\x01\0\0\0${key}X\x03\0\0\0cpuK${String.fromCharCode(length)}tQ`;
const HOOKS = "\x89ccollections\nOrderedDict\n)R";
const tensorOf = (length: number, offset: number, size: number, stride: number, type = "torch\nFloatStorage") =>
  spell(PROTO, TENSOR, "(", storage(type, length), "K", offset, "K", size, "\x85K", stride, "\x85", HOOKS, "tR.");
const four = new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer);

describe("a hostile or broken pickle", () => {
  it.each<[string, Uint8Array, RegExp]>([
    [
      "imports os",
      spell(PROTO, "cos\nsystem\nX\x04\0\0\0true\x85R."),
      /names the global 'os\.system', which is refused/,
    ],
    ["imports posix", spell(PROTO, "cposix\nsystem\nX\x04\0\0\0true\x85R."), /global 'posix\.system'/],
    ["calls eval", spell(PROTO, "c__builtin__\neval\nX\x01\0\0\0" + "1\x85R."), /global '__builtin__\.eval'/],
    [
      "names a property of objects as a storage",
      spell(PROTO, "ctorch\nconstructor\n)R."),
      /global 'torch\.constructor'/,
    ],
    ["makes an instance of a class", spell(PROTO, "ccollections\nOrderedDict\n)\x81."), /opcode 0x81.*refused/],
    ["is of protocol 4", spell("\x80\x04N."), /does not start as protocol 2/],
    ["fills a mapping by calling", spell(PROTO, "ccollections\nOrderedDict\n]\x85R."), /a mapping with arguments/],
    ["calls a storage type", spell(PROTO, "ctorch\nFloatStorage\n)R."), /calls 'torch\.FloatStorage'/],
    ["ends with a class", spell(PROTO, "ctorch\nFloatStorage\n."), /a class or a storage where a value belongs/],
    ["ends too early", spell(PROTO, "X\x04\0\0\0tr"), /is cut off/],
    ["has a text longer than itself", spell(PROTO, "X\xff\xff\xff\xffa."), /is cut off/],
    ["never ends", spell(PROTO, "N"), /is cut off/],
    ["takes from nothing", spell(PROTO, "."), /empty stack/],
    ["recalls what was never stored", spell(PROTO, "h\x05."), /recalls memo 5/],
    ["closes what was never opened", spell(PROTO, "t."), /closes a group/],
    ["holds a list within itself", spell(PROTO, "]q\0h\0a."), /nested deeper/],
    [
      "grows exponentially",
      spell(
        PROTO,
        "]q\0",
        ..."x"
          .repeat(40)
          .split("")
          .map(() => "]q\x01h\0ah\0ah\x01q\0"),
        ".",
      ),
      /leaves values|nested|more than/,
    ],
    ["has a key of the wrong kind", spell(PROTO, "}NNs."), /neither text nor number/],
    ["leaves values behind", spell(PROTO, "NN."), /leaves values behind/],
    ["attaches state to a number", spell(PROTO, "K\x01}b."), /no mapping/],
    ["holds text that is no UTF-8", spell(PROTO, "X\x01\0\0\0\xff."), /no UTF-8/],
    ["holds an endless integer", spell(PROTO, "\x8a\x10", "\0".repeat(16), "."), /integer of 16 bytes; allowed are 8/],
  ])("that %s is refused", async (_, pickle, message) => {
    await expect(read(torchFileOf(pickle))).rejects.toThrow(FormatError);
    await expect(read(torchFileOf(pickle))).rejects.toThrow(message);
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      "reaches beyond its storage",
      tensorOf(4, 1, 4, 1),
      /shape \[4\], strides \[1\] and offset 1 reaches beyond the 4 elements/,
    ],
    ["strides beyond its storage", tensorOf(4, 0, 3, 2), /reaches beyond the 4 elements of storage '0'/],
    ["starts beyond its storage", tensorOf(4, 9, 0, 1), /reaches beyond/],
    [
      "declares more elements than are there",
      tensorOf(5, 0, 5, 1),
      /declares 5 float32 \(20 bytes\), and its entry has 16/,
    ],
    [
      "uses a storage that is missing",
      spell(PROTO, TENSOR, "(", storage("torch\nFloatStorage", 4, "7"), "K\0K\x04\x85K\x01\x85", HOOKS, "tR."),
      /no entry 'data\/7'/,
    ],
    [
      "has a complex storage",
      tensorOf(2, 0, 2, 1, "torch\nComplexFloatStorage"),
      /global 'torch\.ComplexFloatStorage'/,
    ],
    [
      "has a negative size",
      spell(PROTO, TENSOR, "(", storage("torch\nFloatStorage", 4), "K\0J\xff\xff\xff\xff\x85K\x01\x85", HOOKS, "tR."),
      /a wrong size/,
    ],
    [
      "has more sizes than strides",
      spell(PROTO, TENSOR, "(", storage("torch\nFloatStorage", 4), "K\0K\x02K\x02\x86K\x01\x85", HOOKS, "tR."),
      /a wrong stride/,
    ],
    [
      "repeats one number without end",
      spell(PROTO, TENSOR, "(", storage("torch\nFloatStorage", 4), "K\0J\xff\xff\xff\x7f\x85K\0\x85", HOOKS, "tR."),
      /beyond any reasonable size/,
    ],
    ["has no storage", spell(PROTO, TENSOR, "(NK\0K\x04\x85K\x01\x85", HOOKS, "tR."), /a wrong storage/],
  ])("whose tensor %s is refused", async (_, pickle, message) => {
    await expect(read(torchFileOf(pickle, [four]))).rejects.toThrow(message);
  });

  it("is read where the same parts are in order", async () => {
    const tensor = (await read(torchFileOf(tensorOf(4, 1, 2, 2), [four]))) as NumericArray;
    expect(numbers(tensor)).toEqual([2, 4]);
  });
});

describe("a broken archive", () => {
  const whole = fixture("views.pt");
  const damaged = (at: number, value: number): Uint8Array => {
    const bytes = Uint8Array.from(whole);
    bytes[at] = value;
    return bytes;
  };

  it("that is no ZIP is refused", async () => {
    await expect(read(spell("nothing of the kind"))).rejects.toThrow("w.pt: is no ZIP archive");
    await expect(read(new Uint8Array(0))).rejects.toThrow("w.pt: is no ZIP archive");
  });

  it("that is cut off anywhere is refused", async () => {
    for (let length = 0; length < whole.byteLength; length += 61) {
      await expect(read(whole.subarray(0, length))).rejects.toThrow(FormatError);
    }
  });

  it("without a pickle is refused", async () => {
    const without = await changeEntries(whole, (name, bytes) => (name.endsWith(".pkl") ? undefined : bytes));
    await expect(read(without)).rejects.toThrow("it has no entry 'data.pkl'");
  });

  it("with a flipped bit in a storage is refused by its sum", async () => {
    const start = whole.indexOf(0x41, 1200); // within the storage: a float of 12 or more has 0x41 on top
    await expect(read(damaged(start, 0x42))).rejects.toThrow(/'views\/data\/0' is damaged: its CRC-32/);
  });

  it("of torch before 1.6 is refused with advice", async () => {
    await expect(readCheckpoint(bytesSource("old.pt", spell(PROTO, "N.")))).rejects.toThrow("old.pt: is a bare pickle");
  });
});
