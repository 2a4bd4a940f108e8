// How much memory a model needs in HiGHS as WebAssembly, and the refusal of a model that cannot fit.
//
// Measured with highs 1.15.3 (`memoryBytes`, which is capacity: it grows in steps and never shrinks) on generated models;
// m rows, n variables, z entries of A, time limit 8 s:
//
//   model                                  loaded MB   after the run MB
//   none                                          21
//   LP,  m 5 000, n 10 000, z 50 000              21                 53
//   LP,  m 100 000, n 100 000, z 1 000 000        54                481
//   MIP, the same                                 55                585
//   LP,  m 20 000, n 20 000, z 2 000 000          94                691
//   LP,  m 4 000, n 2 000, z 4 000 000           149              1 179
//   LP,  m 1 000 000, n 10 000, z 1 000 000      110              1 109   without presolve 1 013
//   LP,  m 1 000, n 1 000 000, z 10 000           77                333   without presolve 231
//   LP,  m 8 000, n 10 000, z 8 000 000          293              2 048   (at the cap, and still solved)
//   MIP that presolve empties: z 4 000 000: 309, z 8 000 000: 609, z 20 000 000: 1 307;
//        m 1 000 000, z 1 000 000: 329; n 1 000 000, z 10 000: 438
//
// The least need below follows the models that presolve solves, the likely one the others (within about 20 %).
import { type ProblemKind, ValidationError } from "../problem.ts";
import type { ModelSizes } from "./validate.ts";

/** What 32-bit WebAssembly memory of the package can grow to. */
export const highsMemoryLimitBytes = 2 ** 31;

const emptyBytes = 22e6;
const least = { perNonzero: 60, perColumn: 200, perRow: 200 } as const;
const likely = { perNonzero: 340, perColumn: 300, perRow: 800 } as const;
const mipFactor = 1.25;

export interface MemoryEstimate {
  /** No solve gets by with less, presolve and luck included. */
  readonly leastBytes: number;
  /** What a solve usually takes, at most the limit; for admission. */
  readonly likelyBytes: number;
}

/** Bytes of WebAssembly memory for loading and solving a model of these sizes, entries of Q counted like those of A. */
export function estimateMemory(kind: ProblemKind, sizes: ModelSizes): MemoryEstimate {
  const factor = kind === "mip" ? mipFactor : 1;
  return {
    leastBytes: emptyBytes + weigh(sizes, least),
    likelyBytes: Math.min(highsMemoryLimitBytes, Math.ceil(emptyBytes + factor * weigh(sizes, likely))),
  };
}

/**
 * Refuses a model that cannot fit, before anything is attempted: running out of memory ends the whole engine.
 * A model that passes may still run out.
 * @throws ValidationError saying the sizes, the limit and what to do
 */
export function assertFits(kind: ProblemKind, sizes: ModelSizes): void {
  const { leastBytes } = estimateMemory(kind, sizes);
  if (leastBytes <= highsMemoryLimitBytes) return;
  const nonzeros = sizes.nonzeros + sizes.quadraticNonzeros;
  throw new ValidationError(
    `the model is too large for this engine: ${sizes.rows} rows, ${sizes.columns} variables and ${nonzeros} non-zeros ` +
      `need at least ${gib(leastBytes)} GiB; HiGHS as WebAssembly can use ${gib(highsMemoryLimitBytes)} GiB, about ` +
      `${Math.floor((highsMemoryLimitBytes - emptyBytes) / least.perNonzero / 1e6)} million non-zeros at the very most. ` +
      "Reduce or split the model",
  );
}

function weigh(sizes: ModelSizes, weights: { perNonzero: number; perColumn: number; perRow: number }): number {
  return (
    weights.perNonzero * (sizes.nonzeros + sizes.quadraticNonzeros) +
    weights.perColumn * sizes.columns +
    weights.perRow * sizes.rows
  );
}

const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
