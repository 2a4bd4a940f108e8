// Fuzz rules of the writers: whatever the model, what is written is read as the same model, bit by bit, through either
// format and through both; and the LP reader throws nothing but LpError.
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Problem, type SparseMatrix, VariableType } from "../problem.ts";
import { LpError, parseLp } from "./lp.ts";
import { lpText } from "./lp-write.ts";
import { parseMps } from "./mps.ts";
import { mpsText } from "./mps-write.ts";
import { exactRange, isExactRange } from "./range.ts";
import type { ModelText } from "./written.ts";

const inf = Number.POSITIVE_INFINITY;
const budget = { interruptAfterTimeLimit: 8_000, numRuns: 1_500 };

const finite = fc.oneof(
  fc.integer({ min: -9, max: 9 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e19, max: 1e19 }),
  fc.constantFrom(0.1, 1 / 3, -1e-300, 5e-324, 123456789.12345679, 1e19),
);
const nonzero = finite.filter((value) => value !== 0);
const bounds = fc.tuple(fc.oneof(finite, fc.constant(-inf)), fc.oneof(finite, fc.constant(inf))).map(([a, b]) => {
  // 0 and -0 are one bound, and an equality has one right-hand side: no format writes both.
  if (a === b) return [a, a] as const;
  return a > b ? ([b, a] as const) : ([a, b] as const);
});
const name = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."abexyzE0123._()+-* \"'$<:\\é[]"), maxLength: 9 }),
  fc.constantFrom(
    "free",
    "inf",
    "End",
    "BND",
    "RHS",
    "e5",
    "obj",
    "x1",
    "c1",
    "MARKER",
    "'MARKER'",
    "st",
    "max",
    "BND",
  ),
);

/** A sparse matrix whose rows have ascending columns. */
const matrix = (rows: number, columns: number, isTriangle = false): fc.Arbitrary<SparseMatrix> =>
  fc
    .uniqueArray(fc.tuple(fc.nat(Math.max(0, rows - 1)), fc.nat(columns - 1), nonzero), {
      selector: ([i, j]) => i * 1000 + j,
      maxLength: rows === 0 ? 0 : 15,
    })
    .map((all) => {
      const entries = all.filter(([i, j]) => !isTriangle || i <= j).sort(([a, b], [c, d]) => a - c || b - d);
      const offsets = new Int32Array(rows + 1);
      for (const [i] of entries) offsets[i + 1]!++;
      for (let i = 0; i < rows; i++) offsets[i + 1]! += offsets[i] as number;
      return {
        offsets,
        indices: Int32Array.from(entries, ([, j]) => j),
        values: Float64Array.from(entries, ([, , value]) => value),
      };
    });

const lists = <T>(of: fc.Arbitrary<T>, length: number) => fc.array(of, { minLength: length, maxLength: length });

const problem: fc.Arbitrary<Problem> = fc
  .record({ rows: fc.nat(5), columns: fc.integer({ min: 1, max: 6 }) })
  .chain(({ rows, columns }) =>
    fc
      .record({
        maximize: fc.boolean(),
        offset: finite.map((value) => value + 0),
        costs: lists(finite, columns),
        types: lists(fc.constantFrom(0, 0, 1, 2), columns),
        variableBounds: lists(bounds, columns),
        rowBounds: lists(bounds, rows),
        a: matrix(rows, columns),
        q: fc.option(matrix(columns, columns, true), { nil: undefined }),
        variableNames: fc.uniqueArray(name, { minLength: columns, maxLength: columns }),
        rowNames: fc.uniqueArray(name, { minLength: rows, maxLength: rows }),
        title: fc.constantFrom("", "toy", "two words"),
      })
      .map((m) => {
        const types = Int32Array.from(m.types);
        return {
          name: m.title,
          objectiveName: "cost",
          maximize: m.maximize,
          objectiveScaling: 1,
          objectiveOffset: m.offset === 0 ? 0 : m.offset,
          rows,
          columns,
          matrix: m.a,
          objective: Float64Array.from(m.costs),
          rowLower: Float64Array.from(m.rowBounds, ([lower]) => lower),
          rowUpper: Float64Array.from(m.rowBounds, ([, upper]) => upper),
          variableLower: Float64Array.from(m.variableBounds, ([lower]) => lower),
          // MPS has no negative upper bound of a semi-continuous variable.
          variableUpper: Float64Array.from(m.variableBounds, ([, upper], j) =>
            types[j] === VariableType.semiContinuous ? Math.abs(upper) : upper,
          ),
          variableTypes: types.some((type) => type !== 0) ? types : undefined,
          quadratic: m.q === undefined || m.q.values.length === 0 ? undefined : m.q,
          variableNames: m.variableNames,
          rowNames: m.rowNames,
        };
      }),
  );

const bytesOf = ({ lines }: ModelText): Uint8Array => Buffer.from([...lines].join(""));
const throughMps = (p: Problem): Problem => parseMps(bytesOf(mpsText(p)), { layout: "free" }).problem;
const throughLp = (p: Problem): Problem => parseLp(bytesOf(lpText(p))).problem;

describe("a model that is written and read", () => {
  it("in MPS is the same, bit by bit", () => {
    fc.assert(
      fc.property(problem, (p) => {
        expect(throughMps(p)).toEqual(p);
      }),
      budget,
    );
  });

  it("in LP format is the same, bit by bit", () => {
    fc.assert(
      fc.property(problem, (p) => {
        expect(throughLp(p)).toEqual(p);
      }),
      budget,
    );
  });

  it("in LP format and then in MPS is the same, bit by bit", () => {
    fc.assert(
      fc.property(problem, (p) => {
        expect(throughMps(throughLp(p))).toEqual(p);
      }),
      budget,
    );
  });
});

describe("real models", () => {
  const data = new URL("../../../../test/data/lp/", import.meta.url);
  const files = readdirSync(data).filter((file) => file.endsWith(".mps.gz"));

  it.each(files)("%s: MPS to LP to MPS is the same, bit by bit", (file) => {
    const { problem: read } = parseMps(readFileSync(new URL(file, data)));
    expect(throughLp(read)).toEqual(read);
    expect(throughMps(throughLp(read))).toEqual(read);
  });
});

describe("the range of a row", () => {
  it.each([
    [-0.0000010000000000000002, 0],
    [-1.2345678901234567e-6, 1e-5],
  ])("gives %s to %s back, whose distance is printed with many decimals", (lower, upper) => {
    const { problem: read } = parseMps(bytesOf(mpsText(oneRow(lower, upper))));
    expect([read.rowLower[0], read.rowUpper[0]]).toEqual([lower, upper]);
  });

  it("gives any two bounds back, where a double for their distance does not", () => {
    let exact = 0;
    fc.assert(
      fc.property(fc.tuple(finite, finite), ([a, b]) => {
        const [lower, upper] = a < b ? [a, b] : [b, a];
        if (lower === upper) return;
        const { range } = exactRange(lower, upper);
        if (isExactRange(range)) exact++;
        const text = mpsText(oneRow(lower, upper));
        const { problem: read } = parseMps(bytesOf(text));
        expect([read.rowLower[0], read.rowUpper[0]]).toEqual([lower, upper]);
      }),
      { ...budget, numRuns: 3_000 },
    );
    expect(exact).toBeGreaterThan(0);
  });

  function oneRow(lower: number, upper: number): Problem {
    return {
      ...parseMps(Buffer.from("NAME\nROWS\n N c\n G r\nCOLUMNS\n x r 1\nRHS\nENDATA\n")).problem,
      rowLower: Float64Array.of(lower),
      rowUpper: Float64Array.of(upper),
    };
  }
});

describe("the LP reader never throws anything but LpError", () => {
  const read = (bytes: Uint8Array): void => {
    try {
      parseLp(bytes);
    } catch (error) {
      if (!(error instanceof LpError) || error.line < 1 || error.column < 1) throw error;
    }
  };

  it("for random words", () => {
    const words = [
      ..."min max st bounds general binary semi free inf end x y z c: [ ] / 2 ^ * + - <= >= = < > 1 2.5 1e3 1e".split(
        " ",
      ),
      ..."subject to\n|\n|\n |\\ note\n|->|: |. ".split("|"),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom("", "min x\nst\n", "min x + y\nst\n c: x + y >= 1\nbounds\n"),
        fc.array(fc.constantFrom(...words), { maxLength: 25 }),
        (head, all) => read(Buffer.from(head + all.join(" "))),
      ),
      { interruptAfterTimeLimit: 5_000, numRuns: 20_000 },
    );
  });

  it("for real files with bytes changed", () => {
    const data = new URL("../../../../test/data/lp/", import.meta.url);
    const seeds = ["afiro", "flugpl", "qafiro"].map((file) =>
      bytesOf(lpText(parseMps(gunzipSync(readFileSync(new URL(`${file}.mps.gz`, data)))).problem)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (seed, changes) => {
          const bytes = Buffer.from(seed);
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          read(bytes);
        },
      ),
      { interruptAfterTimeLimit: 5_000, numRuns: 5_000 },
    );
  });
});
