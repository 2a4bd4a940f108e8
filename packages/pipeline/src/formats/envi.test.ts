// Rules of ENVI files: interleaves, byte order, header syntax, units.
import { describe, expect, it } from "vitest";
import type { DType } from "./array.ts";
import { parseEnviHeader, readEnvi } from "./envi.ts";
import { FormatError } from "./errors.ts";
import { bytesSource } from "./source.ts";
import { bytesInOrder, counting, textSource } from "./testing/files.ts";

const TYPES: [number, DType][] = [
  [1, "uint8"],
  [2, "int16"],
  [3, "int32"],
  [4, "float32"],
  [5, "float64"],
  [12, "uint16"],
  [13, "uint32"],
  [14, "int64"],
  [15, "uint64"],
];
// Axes of [lines, samples, bands] from slowest to fastest.
const ORDER = { bsq: [2, 0, 1], bil: [0, 2, 1], bip: [0, 1, 2] } as const;
const base = { samples: "3", lines: "2", bands: "4", "data type": "12", interleave: "bsq" };
const headerText = (fields: Record<string, string | undefined>): string =>
  [
    "ENVI",
    ...Object.entries({ ...base, ...fields }).flatMap(([key, value]) =>
      value === undefined ? [] : `${key} = ${value}`,
    ),
  ].join("\n");
const parse = (fields: Record<string, string | undefined>) => parseEnviHeader(headerText(fields), "c.hdr");

describe("an ENVI cube", () => {
  it.each(TYPES)("of data type %i is read in each interleave and byte order", async (type, dtype) => {
    const cube = counting(dtype, [2, 3, 4]);
    for (const [interleave, axes] of Object.entries(ORDER)) {
      for (const order of [0, 1]) {
        const header = headerText({ "data type": String(type), interleave, "byte order": String(order) });
        const data = bytesSource("c.raw", bytesInOrder(cube, axes, order === 1));
        expect(await readEnvi(textSource("c.hdr", header), data)).toEqual(cube);
      }
    }
  });

  it("may start after an offset", async () => {
    const cube = counting("uint16", [2, 3, 4]);
    const data = Buffer.concat([Buffer.alloc(13), bytesInOrder(cube, ORDER.bil)]);
    const header = headerText({ interleave: "BIL", "header offset": "13" });
    expect(await readEnvi(textSource("c.hdr", header), bytesSource("c.raw", data))).toEqual(cube);
  });

  it("larger than a strip is read whole", async () => {
    const cube = counting("float64", [41, 53, 67]);
    const header = headerText({ lines: "41", samples: "53", bands: "67", "data type": "5" });
    const read = await readEnvi(textSource("c.hdr", header), bytesSource("c.raw", bytesInOrder(cube, ORDER.bsq)));
    expect(Buffer.from(read.data.buffer).equals(Buffer.from(cube.data.buffer))).toBe(true);
  });

  it.each([-1, 1])("whose data file is off by %i byte is refused with both sizes", async (more) => {
    const data = bytesSource("c.raw", new Uint8Array(48 + more));
    await expect(readEnvi(textSource("c.hdr", headerText({})), data)).rejects.toThrow(
      `c.raw: has ${48 + more} bytes, and c.hdr describes 48 (offset 0, 2 lines, 3 samples, 4 bands of uint16)`,
    );
  });
});

describe("an ENVI header", () => {
  it("is read without regard to case, spacing, line ends, comments and lines within braces", () => {
    const text =
      "\uFEFFENVI\r\n; a comment = {\r\nSamples=3\r\n LINES  =  2\r\nBands =4\r\ndescription = {\r\n one = two\r\n three }\r\nData   Type = 12\r\n" +
      "INTERLEAVE = BiL\r\nwavelength = {\r\n400.5, 500,\r\n; within\r\n600, 700\r\n}\r\nband names = { a, b,\r\n c, d }\r\nWavelength Units = Nanometers\r\n";
    expect(parseEnviHeader(text, "c.hdr")).toEqual({
      lines: 2,
      samples: 3,
      bands: 4,
      dtype: "uint16",
      interleave: "bil",
      bigEndian: false,
      headerOffset: 0,
      wavelengthsNm: [400.5, 500, 600, 700],
      bandNames: ["a", "b", "c", "d"],
    });
  });

  it.each([
    ["Micrometers", "0.5, 1, 1.5, 2", [500, 1000, 1500, 2000]],
    ["um", "0.5, 1, 1.5, 2", [500, 1000, 1500, 2000]],
    ["nm", "400, 500, 600, 700", [400, 500, 600, 700]],
    [undefined, "0.5, 1, 1.5, 2", [500, 1000, 1500, 2000]],
    [undefined, "400, 500, 600, 700", [400, 500, 600, 700]],
    ["Unknown", "400, 500, 600, 700", [400, 500, 600, 700]],
    ["Wavenumber", "400, 500, 600, 700", undefined],
    ["GHz", "1, 2, 3, 4", undefined],
  ])("gives wavelengths in nanometres (unit %s)", (unit, values, expected) => {
    expect(parse({ wavelength: `{${values}}`, "wavelength units": unit }).wavelengthsNm).toEqual(expected);
  });

  it.each<[string, Record<string, string | undefined>, RegExp]>([
    ["no samples", { samples: undefined }, /has no 'samples'/],
    ["no lines", { lines: undefined }, /has no 'lines'/],
    ["no bands", { bands: undefined }, /has no 'bands'/],
    ["no data type", { "data type": undefined }, /has no 'data type'/],
    ["no interleave", { interleave: undefined }, /has no 'interleave'/],
    ["zero bands", { bands: "0" }, /'bands = 0'; allowed are integers from 1 on/],
    ["a negative size", { lines: "-2" }, /'lines = -2'/],
    ["a size that is no number", { lines: "two" }, /'lines = two'/],
    ["sizes beyond all memory", { lines: "9007199254740991", samples: "9007199254740991" }, /no possible size/],
    ["complex numbers", { "data type": "6" }, /'data type = 6', complex numbers; allowed are 1, 2, 3/],
    ["an unknown data type", { "data type": "7" }, /'data type = 7'; allowed are/],
    ["an unknown interleave", { interleave: "bpi" }, /'interleave = bpi'; allowed are bsq, bil, bip/],
    ["an unknown byte order", { "byte order": "2" }, /'byte order = 2'; allowed are 0/],
    ["compression", { "file compression": "1" }, /only uncompressed files are read/],
    ["too few wavelengths", { wavelength: "{1, 2}" }, /2 wavelengths for 4 bands/],
    ["a wavelength that is no number", { wavelength: "{1, 2, x, 4}" }, /wavelength 3 is 'x'/],
    ["a brace that stays open", { wavelength: "{1, 2" }, /'wavelength' opens a brace that is never closed/],
  ])("with %s is refused", (_, fields, message) => {
    expect(() => parse(fields)).toThrow(FormatError);
    expect(() => parse(fields)).toThrow(message);
  });

  it("must start with ENVI and hold only fields", () => {
    expect(() => parseEnviHeader("samples = 3", "c.hdr")).toThrow("c.hdr: is no ENVI header");
    expect(() => parseEnviHeader("ENVI\nsamples 3", "c.hdr")).toThrow(
      "c.hdr: line 2 is neither 'key = value' nor a comment",
    );
  });
});
