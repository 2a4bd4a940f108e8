// Whatever a file holds, its reader gives an array or says what is wrong; and every layout gives the same cube.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DTYPES, type DType, itemBytes, type NumericArray } from "./array.ts";
import { cocoMask, parseCoco } from "./coco.ts";
import { parseEnviHeader, readEnvi } from "./envi.ts";
import { FormatError } from "./errors.ts";
import { describeMat, readMat } from "./mat.ts";
import { readNpy, writeNpy } from "./npy.ts";
import { describeNpz, readNpz } from "./npz.ts";
import { type ByteSource, bytesSource } from "./source.ts";
import { bytesInOrder, counting, fixtureBytes, textSource } from "./testing/files.ts";

const damage = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 })), {
  minLength: 1,
  maxLength: 6,
});
const cut = fc.double({ min: 0, max: 1, noNaN: true });

/** Reads a damaged file: anything but a FormatError or a result is a fault of ours. */
async function survives(name: string, read: (source: ByteSource) => Promise<unknown>): Promise<void> {
  const whole = fixtureBytes(name);
  await fc.assert(
    fc.asyncProperty(damage, cut, fc.boolean(), async (changes, length, cuts) => {
      const bytes = Uint8Array.from(cuts ? whole.subarray(0, Math.floor(length * whole.byteLength)) : whole);
      for (const [place, value] of changes)
        if (bytes.byteLength > 0) bytes[Math.floor(place * (bytes.byteLength - 1))] = value;
      try {
        await read(bytesSource(name, bytes));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 400 },
  );
}

describe("a damaged file is read or refused", () => {
  it.each(["plain.mat", "compressed.mat", "big.mat"])("%s", async (name) => {
    await survives(name, async (source) => {
      for (const { name: variable, dtype } of await describeMat(source)) if (dtype) await readMat(source, variable);
    });
  });

  it.each(["stored.npz", "deflated.npz"])("%s", async (name) => {
    await survives(name, async (source) => {
      for (const key of (await describeNpz(source)).keys()) await readNpz(source, key);
    });
  });

  it("any text as an ENVI header or COCO file", () => {
    const words = fc.constantFrom(
      "ENVI",
      "lines",
      "samples",
      "=",
      "{",
      "}",
      ",",
      "3",
      "12",
      "data type",
      "bsq",
      "\n",
      "wavelength",
      ";",
      " ",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(words, { maxLength: 40 }).map((parts) => parts.join("")),
          fc.string(),
          fc.json(),
        ),
        (text) => {
          for (const parse of [() => parseEnviHeader(`ENVI\n${text}`, "x"), () => parseCoco(text, "x")]) {
            try {
              parse();
            } catch (error) {
              if (!(error instanceof FormatError)) throw error;
            }
          }
        },
      ),
    );
  });
});

const shape = fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 4 });
const numpyTypes = DTYPES.filter((dtype) => dtype !== "bfloat16");

describe("an array", () => {
  it("keeps its bytes through .npy", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...numpyTypes),
        shape,
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        async (dtype, sizes, noise) => {
          const array = counting(dtype, sizes);
          const bytes = new Uint8Array(array.data.buffer);
          for (let i = 0; i < bytes.length; i++) bytes[i] = noise.next().value as number;
          const back = await readNpy(bytesSource("a.npy", Buffer.concat(writeNpy(array))));
          expect(back.shape).toEqual(sizes);
          expect(Buffer.from(back.data.buffer).equals(Buffer.from(array.data.buffer))).toBe(true);
        },
      ),
    );
  });

  it("is the same from every interleave and byte order of ENVI", async () => {
    const types: [number, DType][] = [
      [1, "uint8"],
      [2, "int16"],
      [4, "float32"],
      [5, "float64"],
      [15, "uint64"],
    ];
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 90 }),
    );
    const orders = { bsq: [2, 0, 1], bil: [0, 2, 1], bip: [0, 1, 2] } as const;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...types),
        sizes,
        fc.constantFrom("bsq" as const, "bil" as const, "bip" as const),
        fc.boolean(),
        async ([code, dtype], [lines, samples, bands], interleave, big) => {
          const cube: NumericArray = counting(dtype, [lines, samples, bands]);
          const header = `ENVI\nlines=${lines}\nsamples=${samples}\nbands=${bands}\ndata type=${code}\ninterleave=${interleave}\nbyte order=${big ? 1 : 0}\n`;
          const data = bytesInOrder(cube, orders[interleave], big && itemBytes(dtype) > 1);
          const read = await readEnvi(textSource("c.hdr", header), bytesSource("c.raw", data));
          expect(Buffer.from(read.data.buffer).equals(Buffer.from(cube.data.buffer))).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("a mask", () => {
  it("of run lengths has exactly the pixels of the odd runs", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 80 }),
        (height, flags) => {
          const width = Math.ceil(flags.length / height);
          const pixels = Array.from({ length: width * height }, (_, i) => flags[i] ?? false);
          const counts: number[] = [];
          for (let i = 0, inside = false; i < pixels.length; inside = !inside) {
            const start = i;
            while (i < pixels.length && pixels[i] === inside) i++;
            counts.push(i - start);
          }
          const file = parseCoco(
            JSON.stringify({
              images: [{ id: 0, width, height }],
              categories: [{ id: 2, name: "x" }],
              annotations: [{ image_id: 0, category_id: 2, segmentation: { size: [height, width], counts } }],
            }),
            "m",
          );
          const { data } = cocoMask(file, file.images[0]!, height, width);
          pixels.forEach((inside, p) => {
            expect(data[(p % height) * width + Math.floor(p / height)]).toBe(inside ? 2 : 0);
          });
        },
      ),
    );
  });
});
