// Rules of the writers: how each construct is said, what is replaced, and what is refused.
import highsLoader from "highs";
import { describe, expect, it } from "vitest";
import type { Problem } from "../problem.ts";
import { parseLp } from "./lp.ts";
import { lpText } from "./lp-write.ts";
import { modelFormatOf, textPieces } from "./model-file.ts";
import { parseMps } from "./mps.ts";
import { mpsText } from "./mps-write.ts";
import type { ModelText } from "./written.ts";

// The package's types describe its CommonJS form, where the loader is a property; the ES module's default is the loader.
const loadHighs = highsLoader as unknown as typeof highsLoader.default;

const lp = (text: string): Problem => parseLp(Buffer.from(text)).problem;
const joined = ({ lines }: ModelText): string => [...lines].join("");

const everything = lp(`\\Problem name: all
max
 gain: 3 x - 0.1 y + 0 z + b + 7 + [ 2 x ^ 2 + 4 x * y ] / 2
st
 low: x + y >= 2
 high: x - z <= 1e-5
 same: y + 3 z = 4
 both: -5 <= x + y <= 8
 idle: z >= -inf
bounds
 x <= 4
 -inf <= y <= -3
 2 <= z <= 9
 -1 <= k <= 1
 s <= 6
 w free
general
 k w
binary
 b
semi-continuous
 s
end
`);

describe("an MPS file", () => {
  it("says every construct", () => {
    expect(joined(mpsText(everything))).toBe(`NAME          all
OBJSENSE
    MAX
ROWS
 N gain
 G low
 L high
 E same
 G both
 L idle
COLUMNS
    x gain 3
    x low 1
    x high 1
    x both 1
    y gain -0.1
    y low 1
    y same 1
    y both 1
    z high -1
    z same 3
    z idle 1
    MARKER0   'MARKER'                 'INTORG'
    b gain 1
    k gain 0
    MARKER1   'MARKER'                 'INTEND'
    s gain 0
    MARKER2   'MARKER'                 'INTORG'
    w gain 0
    MARKER3   'MARKER'                 'INTEND'
RHS
    RHS gain -7
    RHS low 2
    RHS high 0.00001
    RHS same 4
    RHS both -5
    RHS idle 1e30
RANGES
    RNG both 13
BOUNDS
 UP BND x 4
 MI BND y
 UP BND y -3
 LO BND z 2
 UP BND z 9
 BV BND b
 LO BND k -1
 UP BND k 1
 SC BND s 6
 FR BND w
QUADOBJ
    x x 2
    x y 2
ENDATA
`);
  });

  it("in the fixed layout has its fields in their columns and takes blanks in names", () => {
    const problem = { ...lp("min obj: x + y\nst\n c: x + y >= 2\nend\n"), variableNames: ["my x", "y"] };
    const text = joined(mpsText(problem, { layout: "fixed" }));
    expect(text).toContain("\n    my x      c         1\n");
    expect(text).toContain("\n    RHS       c         2\n");
    expect(parseMps(Buffer.from(text), { layout: "fixed" }).problem).toEqual(problem);
  });

  it("replaces names with blanks in the free layout, says so, and the reader restores them", () => {
    const problem = { ...lp("min x + y\nst\n c: x + y >= 2\nend\n"), variableNames: ["my x", "x0"] };
    const { lines, warnings } = mpsText(problem);
    expect(warnings).toEqual([
      '1 name(s) that free MPS cannot hold are replaced, first: variable "my x" by x0_1; comments in the file have them all',
    ]);
    const text = [...lines].join("");
    expect(text).toMatch(/^\*Renamed variable x0_1: "my x"\n/);
    expect(parseMps(Buffer.from(text)).problem.variableNames).toEqual(["my x", "x0"]);
  });

  it("has the whole Hessian where Q is symmetric, and its triangle where it is neither that nor triangular", () => {
    const q = (offsets: number[], indices: number[], values: number[]): Problem => ({
      ...lp("min x + y\nst\n c: x + y >= 2\nend\n"),
      quadratic: {
        offsets: Int32Array.from(offsets),
        indices: Int32Array.from(indices),
        values: Float64Array.from(values),
      },
    });
    const symmetric = q([0, 2, 3], [0, 1, 0], [1, 2, 2]);
    expect(joined(mpsText(symmetric))).toContain("QMATRIX\n    x x 2\n    x y 4\n    y x 4\nENDATA");
    expect(parseMps(Buffer.from(joined(mpsText(symmetric)))).problem.quadratic).toEqual(symmetric.quadratic);
    const general = q([0, 1, 3], [0, 0, 1], [1, 3, 5]);
    expect(joined(mpsText(general))).toContain("QUADOBJ\n    x x 2\n    x y 3\n    y y 10\nENDATA");
  });

  it("refuses crossed bounds of a row", () => {
    expect(() => mpsText(lp("min x\nst\n c: 5 <= x + y <= 3\nend\n"))).toThrow(
      'row "c": lower bound 5 is above upper bound 3, which MPS cannot say; LP format can',
    );
  });
});

describe("an LP file", () => {
  it("is read as it was written, and mentions variables in their order", () => {
    const text = joined(lpText(everything));
    expect(parseLp(Buffer.from(text)).problem).toEqual(everything);
    expect(text).toContain(" gain: 3 x - 0.1 y + 0 z + b + 0 k + 0 s + 0 w + 7 + [ 2 x ^ 2 + 4 x * y ] / 2\n");
    expect(text).toContain(" both: -5 <= x + y <= 8\n");
  });

  it("has no line that is longer than the format allows", () => {
    const names = Array.from({ length: 500 }, (_, j) => `variable_${j}`);
    const text = joined(lpText(lp(`min ${names.join(" + ")}\nst\n c: ${names.join(" + ")} >= 1\nend\n`)));
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(255);
  });

  it("replaces names that are numbers, exponents, headings or hold operators", () => {
    const names = ["2x", "e5", "end", "a-b", "free", ".x", "fine"];
    const problem = {
      ...lp(`min ${names.map((_, j) => `v${j}`).join(" + ")}\nst\n c: v0 >= 1\nend\n`),
      variableNames: names,
    };
    const { lines, warnings } = lpText(problem);
    expect(warnings).toEqual([expect.stringMatching(/^6 name\(s\) that LP format cannot hold are replaced/)]);
    expect(parseLp(Buffer.from([...lines].join(""))).problem).toEqual(problem);
  });

  it("is read by HiGHS as the same model", async () => {
    const highs = await loadHighs();
    const { quadratic: _, ...linear } = lp(
      "max 3 x - y + 7\nst\n a: x + 2 y >= 2\n b: 2 x + y = 7.25\nbounds\n x <= 4\n -2 <= y <= 9\ngeneral\n y\nend\n",
    );
    using model = highs.createModel();
    model.options.set("output_flag", false);
    model.readModel({ format: "lp", data: Buffer.from(joined(lpText(linear))) });
    const theirs = model.getModel("csr");
    expect([theirs.colCost, theirs.colLower, theirs.colUpper, theirs.rowLower, theirs.rowUpper, theirs.offset]).toEqual(
      [
        linear.objective,
        linear.variableLower,
        linear.variableUpper,
        linear.rowLower,
        linear.rowUpper,
        linear.objectiveOffset,
      ],
    );
    expect(theirs.integrality).toEqual(linear.variableTypes);
    expect(theirs.matrix.values).toEqual(linear.matrix.values);
  });
});

describe("both formats", () => {
  it.each([
    ["an objective scaling", { objectiveScaling: 2 }, /objective_scaling_factor is 2; .* has no place for one/],
    ["an infinite cost", { objective: Float64Array.of(1, Number.POSITIVE_INFINITY) }, /^c\[1\] is Infinity/],
    ["a bound that is no number", { variableLower: Float64Array.of(0, Number.NaN) }, /^variable 1: lower bound NaN/],
    ["no variables", { columns: 0 }, /^the model has no variables/],
  ] as const)("refuse %s", (_, change, message) => {
    const problem = { ...lp("min x + y\nst\n c: x + y >= 2\nend\n"), ...change };
    expect(() => mpsText(problem)).toThrow(message);
    expect(() => lpText(problem)).toThrow(message);
  });

  it("tell what they leave out", () => {
    const problem = {
      ...lp("min x + y\nst\n c: x + y >= 2\nend\n"),
      variableUpper: Float64Array.of(1e25, 1),
      initialPrimal: Float64Array.of(1, 1),
    };
    for (const { warnings } of [mpsText(problem), lpText(problem)]) {
      expect(warnings).toEqual([
        "1 bound(s) of 1e20 or more in size are read as infinite, first: variable 0: 1e+25",
        expect.stringMatching(/^the initial solution is left out/),
      ]);
    }
  });
});

it.each([
  ["a.mps", "mps"],
  ["a.QPS.gz", "mps"],
  ["dir.lp/a.lp.bz2", "lp"],
  ["a.lp", "lp"],
  ["a.txt", undefined],
  ["lp", undefined],
])("the name %s means %s", (name, format) => {
  expect(modelFormatOf(name)).toBe(format);
});

it("pieces are the lines, in order", () => {
  const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`);
  expect(Buffer.concat([...textPieces(lines)]).toString()).toBe(lines.join(""));
});
