// Damaged weights files are read or refused, never more; whatever tensors there are, writing and reading keeps their bytes.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocate, bytesOf, DTYPES, type DType, type NumericArray } from "../formats/array.ts";
import { FormatError } from "../formats/errors.ts";
import { bytesSource } from "../formats/source.ts";
import { readCheckpoint, writeCheckpoint, writeSafeTensorsCheckpoint } from "./checkpoint.ts";
import { readPickle } from "./pickle.ts";
import { changeEntries } from "./testing/archive.ts";

const fixture = (name: string): Uint8Array => readFileSync(fileURLToPath(new URL(`testing/${name}`, import.meta.url)));
const damage = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 })), {
  minLength: 1,
  maxLength: 6,
});

function damaged(whole: Uint8Array, changes: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = Uint8Array.from(whole);
  for (const [place, value] of changes) bytes[Math.floor(place * (bytes.byteLength - 1))] = value;
  return bytes;
}

async function readOrRefuse(bytes: Uint8Array): Promise<void> {
  try {
    await readCheckpoint(bytesSource("w", bytes));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
}

describe("a damaged weights file", () => {
  it.each(["dtypes.pt", "views.pt", "plain.safetensors"])("%s is read or refused", async (name) => {
    const whole = fixture(name);
    await fc.assert(
      fc.asyncProperty(damage, (changes) => readOrRefuse(damaged(whole, changes))),
      { numRuns: 400 },
    );
  });

  it("with a damaged pickle and a sound archive is read or refused", async () => {
    const whole = fixture("dtypes.pt");
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        await readOrRefuse(
          await changeEntries(whole, (name, bytes) => (name.endsWith(".pkl") ? damaged(bytes, changes) : bytes)),
        );
      }),
      { numRuns: 400 },
    );
  });

  it("whose pickle is any bytes is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        try {
          readPickle(Uint8Array.of(0x80, 2, ...noise), "w");
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

const tensor: fc.Arbitrary<NumericArray> = fc
  .tuple(fc.constantFrom<DType>(...DTYPES), fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }), fc.integer())
  .map(([dtype, shape, seed]) => {
    const data = allocate(
      dtype,
      shape.reduce((product, size) => product * size, 1),
    );
    bytesOf(data).forEach((_, i, bytes) => {
      bytes[i] = (seed * (i + 1) * 2654435761) & (dtype === "bool" ? 1 : 0xff);
    });
    return { dtype, shape, data };
  });

describe("a checkpoint", () => {
  it("keeps its bytes in both formats", async () => {
    const names = fc
      .string({ minLength: 1, maxLength: 6 })
      .filter((name) => !name.includes(".") && name !== "__metadata__");
    const states = fc.dictionary(names, fc.dictionary(fc.string({ minLength: 1 }), tensor, { maxKeys: 4 }), {
      maxKeys: 4,
    });
    await fc.assert(
      fc.asyncProperty(states, async (nodes) => {
        const stateDict = new Map(Object.entries(nodes).map(([node, state]) => [node, new Map(Object.entries(state))]));
        for (const write of [writeCheckpoint, writeSafeTensorsCheckpoint]) {
          const back = await readCheckpoint(bytesSource("w", write({ stateDict, metadata: {} })));
          expect([...back.stateDict!.keys()].toSorted()).toEqual([...stateDict.keys()].toSorted());
          for (const [node, state] of stateDict) {
            for (const [key, { dtype, shape, data }] of state) {
              const found = back.stateDict!.get(node)!.get(key)!;
              expect([found.dtype, found.shape]).toEqual([dtype, shape]);
              expect(Buffer.from(bytesOf(found.data)).equals(Buffer.from(bytesOf(data)))).toBe(true);
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
