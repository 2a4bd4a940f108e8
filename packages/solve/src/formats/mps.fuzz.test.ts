// Fuzz rules of the MPS reader: whatever the bytes, it gives a sound model or an MpsError; what is written is read again.
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { modelStats, validateModel } from "../model/index.ts";
import { type Problem, VariableType } from "../problem.ts";
import { MpsError, type MpsOptions, parseMps } from "./mps.ts";

const inf = Number.POSITIVE_INFINITY;
const budgetMs = 10_000;
const data = new URL("../../../../test/data/lp/", import.meta.url);
const broken = new URL("../../testdata/mps-broken/", import.meta.url);

const layout = fc.constantFrom<MpsOptions["layout"]>("auto", "free", "fixed");

/** Reads and, if that succeeds, holds the result against the structural checks. */
function read(bytes: Uint8Array, options?: MpsOptions): void {
  let problem: Problem;
  try {
    problem = parseMps(bytes, options).problem;
  } catch (error) {
    if (error instanceof MpsError && error.line >= 1 && error.column >= 1) return;
    throw error;
  }
  if (problem.columns === 0) return;
  const { matrix, quadratic } = problem;
  const faults = validateModel(
    // Without types a quadratic objective is never at fault; types are judged apart below.
    "mip",
    problem,
    modelStats({
      aValues: matrix.values,
      aIndices: matrix.indices,
      aOffsets: matrix.offsets,
      c: problem.objective,
      rowLower: problem.rowLower,
      rowUpper: problem.rowUpper,
      variableLower: problem.variableLower,
      variableUpper: problem.variableUpper,
      qValues: quadratic?.values,
      qIndices: quadratic?.indices,
      qOffsets: quadratic?.offsets,
    }),
  );
  expect(faults).toEqual([]);
  expect(problem.variableTypes?.every((type) => type >= 0 && type <= VariableType.semiContinuous) ?? true).toBe(true);
}

describe("the MPS reader never throws anything but MpsError", () => {
  const seeds = [
    ...readdirSync(data)
      .filter((name) => name.endsWith(".gz"))
      .map((name) => gunzipSync(readFileSync(new URL(name, data))))
      .filter((bytes) => bytes.length < 20_000),
    ...readdirSync(broken).map((name) => readFileSync(new URL(name, broken))),
  ];

  it("for random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), layout, (bytes, chosen) => read(bytes, { layout: chosen })),
      { interruptAfterTimeLimit: budgetMs / 4, numRuns: 20_000 },
    );
  });

  it("for random lines out of the format's own words", () => {
    const words = [
      ..."NAME OBJSENSE OBJNAME ROWS LAZYCONS COLUMNS RHS RANGES BOUNDS QUADOBJ QMATRIX ENDATA".split(" "),
      ..."N L G E MAX 'MARKER' 'INTORG' 'INTEND' LO UP FX FR MI PL BV LI UI SC x y z r s BND 1 -2 1e30 inf 0 $".split(
        " ",
      ),
    ];
    const line = fc
      .tuple(fc.constantFrom("", " ", "    ", "\t"), fc.array(fc.constantFrom(...words), { maxLength: 6 }))
      .map(([indent, parts]) => indent + parts.join(" "));
    const head = fc.constantFrom("", "ROWS\n N c\n L r\n G s\n", "ROWS\n N c\n L r\nCOLUMNS\n x r 1\n y c 1\nRHS\n");
    fc.assert(
      fc.property(head, fc.array(line, { maxLength: 12 }), layout, (start, lines, chosen) =>
        read(Buffer.from(start + lines.join("\n")), { layout: chosen }),
      ),
      { interruptAfterTimeLimit: budgetMs / 4, numRuns: 20_000 },
    );
  });

  it("for real files with bytes changed, cut out and repeated", () => {
    const change = fc.record({ at: fc.nat(), length: fc.nat(40), to: fc.nat(), byte: fc.nat(255), kind: fc.nat(2) });
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(change, { minLength: 1, maxLength: 5 }),
        layout,
        (seed, all, chosen) => {
          let bytes = Buffer.from(seed);
          for (const { at, length, to, byte, kind } of all) {
            const start = at % (bytes.length + 1);
            const piece = bytes.subarray(start, start + length);
            if (kind === 0) bytes[start] = byte;
            else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + length)]);
            else {
              const target = to % (bytes.length + 1);
              bytes = Buffer.concat([bytes.subarray(0, target), piece, bytes.subarray(target)]);
            }
          }
          read(bytes, { layout: chosen });
        },
      ),
      { interruptAfterTimeLimit: budgetMs / 2, numRuns: 20_000 },
    );
  });
});

describe("damaged gzip data", () => {
  it("give an MpsError or the model", () => {
    const whole = gzipSync(readFileSync(new URL("number-malformed.mps", broken)));
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255), cut: fc.nat(whole.length) });
    fc.assert(
      fc.property(change, layout, ({ at, byte, cut }, chosen) => {
        const bytes = Buffer.from(whole).subarray(0, whole.length - (cut % 3 === 0 ? cut : 0));
        if (at < bytes.length) bytes[at] = byte;
        read(bytes, { layout: chosen });
      }),
      { interruptAfterTimeLimit: budgetMs / 4, numRuns: 2000 },
    );
  });
});

describe("a generated model", () => {
  const number = fc.oneof(
    fc.integer({ min: -100, max: 100 }),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }),
  );
  const nonzero = number.filter((value) => value !== 0);
  const lower = fc.oneof(number, fc.constant(-inf));
  const upper = fc.oneof(number, fc.constant(inf));
  const row = fc.oneof(
    number.map((side) => [side, side] as const),
    number.map((side) => [-inf, side] as const),
    number.map((side) => [side, inf] as const),
  );

  const model = fc.record({ rows: fc.nat(6), columns: fc.integer({ min: 1, max: 6 }) }).chain(({ rows, columns }) =>
    fc.record({
      maximize: fc.boolean(),
      offset: number,
      objective: fc.array(number, { minLength: columns, maxLength: columns }),
      types: fc.array(fc.constantFrom(0, 1, 2), { minLength: columns, maxLength: columns }),
      bounds: fc.array(fc.tuple(lower, upper), { minLength: columns, maxLength: columns }),
      rowBounds: fc.array(row, { minLength: rows, maxLength: rows }),
      entries: fc.uniqueArray(fc.tuple(fc.nat(Math.max(0, rows - 1)), fc.nat(columns - 1), nonzero), {
        selector: ([i, j]) => i * 100 + j,
        maxLength: rows === 0 ? 0 : 20,
      }),
      hessian: fc.uniqueArray(fc.tuple(fc.nat(columns - 1), fc.nat(columns - 1), nonzero), {
        selector: ([i, j]) => Math.min(i, j) * 100 + Math.max(i, j),
        maxLength: 5,
      }),
    }),
  );

  it("is read as it was written", () => {
    fc.assert(
      fc.property(model, (m) => {
        const { problem } = parseMps(Buffer.from(write(m)));
        expect(problem.maximize).toBe(m.maximize);
        expect(problem.objectiveOffset).toBe(m.offset === 0 ? 0 : m.offset);
        expect([...problem.objective]).toEqual(m.objective);
        expect([...(problem.variableTypes ?? new Int32Array(m.types.length))]).toEqual(m.types);
        expect([...problem.variableLower]).toEqual(m.bounds.map(([l]) => l));
        expect([...problem.variableUpper]).toEqual(m.bounds.map(([, u], j) => scUpper(m.types[j]!, u)));
        expect([...problem.rowLower]).toEqual(m.rowBounds.map(([l]) => l));
        expect([...problem.rowUpper]).toEqual(m.rowBounds.map(([, u]) => u));
        const { offsets, indices, values } = problem.matrix;
        const found = m.rowBounds.flatMap((_, i) =>
          Array.from({ length: offsets[i + 1]! - offsets[i]! }, (_, k) => [
            i,
            indices[offsets[i]! + k]!,
            values[offsets[i]! + k]!,
          ]),
        );
        expect(found).toEqual([...m.entries].sort((a, b) => a[0] - b[0] || a[1] - b[1]));
        expect(problem.quadratic?.values.length ?? 0).toBe(m.hessian.length);
      }),
      { interruptAfterTimeLimit: budgetMs / 2, numRuns: 2000 },
    );
  });

  type Model = typeof model extends fc.Arbitrary<infer T> ? T : never;

  /** A semi-continuous variable cannot be given a negative upper bound by SC. */
  const scUpper = (type: number, value: number): number =>
    type === VariableType.semiContinuous ? Math.abs(value) : value;

  function write(m: Model): string {
    const text = (value: number) => (Object.is(value, -0) ? "-0" : String(value));
    const lines = ["NAME generated", `OBJSENSE ${m.maximize ? "MAX" : "MIN"}`, "ROWS", " N cost"];
    m.rowBounds.forEach(([l, u], i) => {
      lines.push(` ${l === u ? "E" : l === -inf ? "L" : "G"} r${i}`);
    });
    lines.push("COLUMNS");
    m.objective.forEach((c, j) => {
      lines.push(` x${j} cost ${text(c)}`);
      for (const [i, column, value] of m.entries) if (column === j) lines.push(` x${j} r${i} ${text(value)}`);
    });
    lines.push("RHS", ` RHS cost ${text(-m.offset)}`);
    m.rowBounds.forEach(([l, u], i) => {
      lines.push(` RHS r${i} ${text(l === -inf ? u : l)}`);
    });
    lines.push("BOUNDS");
    m.bounds.forEach(([l, u], j) => {
      const type = m.types[j];
      lines.push(` ${type === VariableType.integer ? "LI" : "LO"} BND x${j} ${text(l)}`);
      const upperType = type === VariableType.semiContinuous ? "SC" : type === VariableType.integer ? "UI" : "UP";
      lines.push(` ${upperType} BND x${j} ${text(type === VariableType.semiContinuous ? Math.abs(u) : u)}`);
    });
    if (m.hessian.length > 0) lines.push("QUADOBJ");
    for (const [i, j, value] of m.hessian) lines.push(` x${i} x${j} ${text(value)}`);
    lines.push("ENDATA", "");
    return lines.join("\n");
  }
});
