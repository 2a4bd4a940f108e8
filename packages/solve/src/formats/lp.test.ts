// Rules of the LP format reader: what each construct means, and that every fault is located.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { LpError, parseLp, readLp } from "./lp.ts";

const inf = Number.POSITIVE_INFINITY;
const f64 = (...values: number[]) => Float64Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);
const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (text: string) => parseLp(bytes(text));

/** A model around one section or row. */
const objective = (text: string) => parse(`Minimize\n ${text}\nSubject To\n c: x + y >= 1\nEnd\n`).problem;
const rows = (text: string) => parse(`Minimize\n x\nSubject To\n${text}\nEnd\n`).problem;
const bounds = (text: string) => {
  const { problem, warnings } = parse(`Minimize\n x + y\nSubject To\n c: x + y >= 1\nBounds\n${text}\nEnd\n`);
  return {
    bounds: problem.variableNames?.map((_, j) => [problem.variableLower[j], problem.variableUpper[j]]),
    warnings,
  };
};

describe("a model", () => {
  const text = `\\Problem name: toy
Maximize
 profit: 3 x + 2.5 y - z + 10
Subject To
 cap: x + 3 y <= 9
 -5 <= 2 x + y <= 8
 fix: x - z = 1.5e1
Bounds
 -2 <= x <= 4
 y free
Generals
 z
End
`;

  it("becomes rows in compressed form, variables in the order of their first mention", () => {
    expect(parse(text)).toEqual({
      isMip: true,
      warnings: [],
      problem: {
        name: "toy",
        objectiveName: "profit",
        maximize: true,
        objectiveScaling: 1,
        objectiveOffset: 10,
        rows: 3,
        columns: 3,
        matrix: { offsets: i32(0, 2, 4, 6), indices: i32(0, 1, 0, 1, 0, 2), values: f64(1, 3, 2, 1, 1, -1) },
        objective: f64(3, 2.5, -1),
        rowLower: f64(-inf, -5, 15),
        rowUpper: f64(9, 8, 15),
        variableLower: f64(-2, -inf, 0),
        variableUpper: f64(4, inf, inf),
        variableTypes: i32(0, 0, 1),
        quadratic: undefined,
        variableNames: ["x", "y", "z"],
        rowNames: ["cap", "c2", "fix"],
      },
    });
  });

  it("is the same in chunks, compressed, with CRLF, comments and lines broken anywhere", async () => {
    const plain = parse(text);
    const odd = `\ufeff\\ a comment\r\n${text.replaceAll("\n", " \\ more\r\n\r\n").replace("toy \\ more", "toy")}`;
    expect(parse(odd)).toEqual(plain);
    expect(parse(text.replace(/ (?=[-+])/g, "\n  "))).toEqual(plain);
    async function* chunks(data: Uint8Array) {
      for (let at = 0; at < data.length; at += 7) yield data.subarray(at, at + 7);
    }
    expect(await readLp(chunks(bytes(text)))).toEqual(plain);
    expect(await readLp(chunks(gzipSync(text)))).toEqual(plain);
  });

  it.each([
    ["min", false],
    ["MAXIMISE", true],
    ["Maximum", true],
    ["minimize", false],
  ])("has the sense %s, whatever its case", (word, maximize) => {
    expect(parse(`${word} x\nst\n x >= 1\nend\n`).problem.maximize).toBe(maximize);
  });

  it.each(["Subject To", "SUBJECT  TO", "such that", "st", "s.t.", "ST."])("has constraints behind %s", (word) => {
    expect(parse(`min x\n${word}\n x >= 1\nend\n`).problem.rowLower).toEqual(f64(1));
  });

  it("without End is read with a warning", () => {
    expect(parse("min x\nst\n x >= 1\n").warnings).toEqual(["there is no End: the file may be cut off"]);
  });

  it("ends at End, whatever follows", () => {
    expect(parse("min x\nst\n x >= 1\nend\n<<< >>>\n").problem.rows).toBe(1);
  });
});

describe("the objective", () => {
  it("may be empty", () => {
    expect(objective("obj:")).toMatchObject({ objective: f64(0, 0), objectiveName: "obj" });
  });

  it("adds its constants", () => {
    expect(objective("x + 2 - 0.5 + y").objectiveOffset).toBe(1.5);
  });

  it("takes numbers right before names, a * between them, and several signs", () => {
    expect(objective("2x - - 3 * y").objective).toEqual(f64(2, 3));
  });

  it("keeps the sign of a zero", () => {
    expect(objective("- 0 x + y").objective).toEqual(f64(-0, 1));
  });

  it("has half of what stands in [ ] as its quadratic part", () => {
    // ½(4x² + 2xy - 6y²) = xᵀQx
    const { quadratic, objective: linear } = objective("x + [ 4 x ^ 2 + 2 x * y - 6 y^2 ] / 2");
    expect(quadratic).toEqual({ offsets: i32(0, 2, 3), indices: i32(0, 1, 1), values: f64(2, 1, -3) });
    expect(linear).toEqual(f64(1, 0));
  });

  it("adds up what is named twice, with a warning", () => {
    const { problem, warnings } = parse("min x + y + 2 x\nst\n c: x + y - x >= 1\nend\n");
    expect(problem.objective).toEqual(f64(3, 1));
    expect(problem.matrix).toEqual({ offsets: i32(0, 1), indices: i32(1), values: f64(1) });
    expect(warnings).toEqual(["2 variable(s) more than once in one expression, added up, first: x in the objective"]);
  });
});

describe("a row", () => {
  it.each([
    ["x + y <= 4", -inf, 4],
    ["x + y < 4", -inf, 4],
    ["x + y =< 4", -inf, 4],
    ["x + y => 4", 4, inf],
    ["x + y = -4", -4, -4],
    ["3 <= x + y", 3, inf],
    ["3 >= x + y", -inf, 3],
    ["3 = x + y", 3, 3],
    ["-5 <= x + y <= 8", -5, 8],
    ["8 >= x + y >= -5", -5, 8],
    ["-inf <= x + y <= 8", -inf, 8],
    ["x + y >= -Infinity", -inf, inf],
    ["x + y <= 1e20", -inf, inf],
    ["x + y + 3 <= 4", -inf, 1],
    ["-0 <= x + y <= 0", -0, 0],
  ])("%s has its bounds", (text, lower, upper) => {
    expect(rows(text)).toMatchObject({ rowLower: f64(lower), rowUpper: f64(upper) });
  });

  it("may begin with a number that is a coefficient", () => {
    expect(rows("3 x + y <= 4").matrix.values).toEqual(f64(3, 1));
  });

  it("leaves out zero coefficients", () => {
    expect(rows("0 x + y <= 4").matrix).toEqual({ offsets: i32(0, 1), indices: i32(1), values: f64(1) });
  });

  it("with crossed bounds is read with a warning", () => {
    const { warnings } = parse("min x\nst\n c: 5 <= x + y <= 3\nend\n");
    expect(warnings).toEqual([
      "1 row(s) with crossed bounds, so the model is infeasible, first: c (lower bound 5, upper bound 3)",
    ]);
  });

  it("may have a name with every character that the format allows, a heading's or exponent's letters included", () => {
    const name = "!\"#$%&(),.;?@_`'{}~e5";
    expect(rows(`${name}: 2 ${name} <= 4\n end_of_x: x >= 1\n st2: x >= 1`)).toMatchObject({
      rowNames: [name, "end_of_x", "st2"],
      variableNames: ["x", name],
    });
  });
});

describe("bounds", () => {
  it.each([
    ["-2 <= x <= 4", [-2, 4]],
    ["4 >= x >= -2", [-2, 4]],
    ["x >= 1\n x <= 3", [1, 3]],
    ["1 <= x", [1, inf]],
    ["3 >= x", [0, 3]],
    ["x = 2", [2, 2]],
    ["x FREE", [-inf, inf]],
    ["-inf <= x <= +infinity", [-inf, inf]],
    ["x >= -1e30", [-inf, inf]],
    ["x <= 3\n x <= 5", [0, 5]],
  ])("%s", (text, found) => {
    expect(bounds(text)).toEqual({ bounds: [found, [0, inf]], warnings: [] });
  });

  it("keep the lower bound 0 beside a negative upper one, with warnings", () => {
    const { bounds: found, warnings } = bounds("x <= -3");
    expect(found?.[0]).toEqual([0, -3]);
    expect(warnings[0]).toBe("1 variable(s) with a negative upper bound and no lower one, which stays 0, first: x");
  });

  it("add a variable that stands nowhere else, with a warning", () => {
    const { bounds: found, warnings } = bounds("z <= 3");
    expect(found?.[2]).toEqual([0, 3]);
    expect(warnings).toEqual(["Bounds adds 1 variable(s) that stand nowhere before, first: z"]);
  });
});

describe("types", () => {
  const types = (text: string) => {
    const { problem } = parse(`min x + y + z\nst\n c: x + y + z >= 1\n${text}\nend\n`);
    return { types: problem.variableTypes, lower: problem.variableLower, upper: problem.variableUpper };
  };

  it.each(["general", "Generals", "gen", "integer", "INTEGERS"])("%s makes integer, bounds as they are", (word) => {
    expect(types(`${word}\n x z`)).toEqual({ types: i32(1, 0, 1), lower: f64(0, 0, 0), upper: f64(inf, inf, inf) });
  });

  it.each(["binary", "Binaries", "bin"])("%s makes integer with bounds 0 and 1", (word) => {
    expect(types(`${word}\n y`)).toEqual({ types: i32(0, 1, 0), lower: f64(0, 0, 0), upper: f64(inf, 1, inf) });
  });

  it("keep the bounds that a binary variable is given", () => {
    expect(types("bounds\n y = 0\n z >= 1\nbinary\n y z")).toEqual({
      types: i32(0, 1, 1),
      lower: f64(0, 0, 1),
      upper: f64(inf, 0, 1),
    });
  });

  it.each(["semi-continuous", "semis", "Semi"])("%s makes semi-continuous", (word) => {
    expect(types(`bounds\n 2 <= x <= 5\n${word}\n x`)).toEqual({
      types: i32(2, 0, 0),
      lower: f64(2, 0, 0),
      upper: f64(5, inf, inf),
    });
  });
});

describe("a broken file", () => {
  const folder = new URL("../../testdata/lp-broken/", import.meta.url);
  const faults: [name: string, line: number, column: number, text: string][] = [
    ["bound-fixed-at-infinity", 7, 6, "infinity as both bounds; a finite number (below 1e20 in size) is allowed"],
    [
      "bound-lower-plus-infinity",
      7,
      7,
      "infinity as a lower bound; a finite number (below 1e20 in size), or -inf for none, is allowed",
    ],
    ["bound-number-alone", 7, 4, 'found "x"; a comparison, <=, >= or =, is needed'],
    ["bound-of-a-number", 7, 7, 'found "5"; the name of a variable is needed'],
    [
      "bound-of-two-variables",
      7,
      9,
      'found "y" behind the right-hand side; variables stand on the left-hand side, the next constraint on a line of its own',
    ],
    [
      "bound-upper-minus-infinity",
      7,
      8,
      "-infinity as an upper bound; a finite number (below 1e20 in size), or inf for none, is allowed",
    ],
    [
      "bound-with-opposite-signs",
      7,
      9,
      'found ">="; the two comparisons of a bound must point the same way, as in -5 <= x <= 8',
    ],
    ["bound-without-comparison", 7, 4, 'found "4"; a comparison or the word free is needed behind a variable'],
    ["coefficient-infinite", 2, 8, 'found "1e999"; a number below 1.8e308 is needed'],
    ["comparison-missing", 4, 15, 'found "9"; + or - is needed between two terms'],
    ["control-character", 4, 11, "the character U+0001; text without control characters is allowed"],
    ["equality-with-infinity", 4, 17, "infinity as both bounds; a finite number (below 1e20 in size) is allowed"],
    ["fault-behind-accents", 4, 20, 'found "été"; a number is needed; variables stand on the left-hand side'],
    ["general-of-unknown-variable", 7, 2, 'unknown variable "z"; a variable that stands before is needed'],
    ["general-with-number", 7, 2, 'found "3"; names of variables are needed'],
    ["indicator-constraint", 4, 13, "an indicator constraint, which is not supported"],
    ["infinity-as-coefficient", 4, 7, "infinity as a coefficient; a finite number is needed"],
    ["no-constraints-section", 3, 1, 'found "Bounds"; Subject To is needed behind the objective'],
    ["no-objective-sense", 1, 1, 'found "cost:"; the sense of the objective, Minimize or Maximize, is needed first'],
    ["number-missing", 5, 2, 'found "need:"; a number is needed'],
    ["number-with-two-points", 2, 8, 'found "1.5."; a number has one decimal point'],
    ["product-without-variable", 2, 12, 'found "4"; the name of a variable is needed behind *'],
    ["quadratic-constraint", 4, 7, "a quadratic constraint, which is not supported"],
    ["quadratic-cubed", 2, 18, 'found "3"; the exponent 2 is allowed'],
    ["quadratic-divided-by-three", 2, 24, 'found "3"; 2 is needed: the objective has half of what [ ] says'],
    ["quadratic-not-closed", 3, 1, 'found "Subject To"; + or - is needed between two terms'],
    ["quadratic-with-linear-term", 2, 24, 'found "]"; ^ 2, or * and a variable, is needed within [ ]'],
    ["quadratic-without-half", 3, 1, 'found "Subject To"; / 2 is needed behind the ] of the objective'],
    [
      "range-with-equality",
      4,
      19,
      'found "<="; the two comparisons of a range must point the same way, as in -5 <= x + y <= 8',
    ],
    [
      "range-with-opposite-signs",
      4,
      20,
      'found ">="; the two comparisons of a range must point the same way, as in -5 <= x + y <= 8',
    ],
    ["row-name-twice", 6, 2, 'a second constraint named "cap"; each name is allowed once'],
    ["row-without-comparison", 5, 1, 'found "End"; the constraint goes on with a comparison, <=, >= or ='],
    ["row-without-variable", 5, 1, 'found "End"; a variable, with a number before it or without, is needed'],
    ["second-constraints-section", 6, 1, 'found "Subject To", a second section of constraints; one is allowed'],
    ["second-objective", 6, 1, 'found "Maximize", a second objective; one is allowed'],
    [
      "semi-continuous-integer",
      11,
      2,
      'variable "x" would be both integer and semi-continuous; one of them is allowed',
    ],
    ["sign-missing", 2, 10, 'found "2"; + or - is needed between two terms'],
    [
      "unsupported-section",
      6,
      1,
      'found "SOS", which is not supported; Subject To, Bounds, General, Binary, Semi-Continuous or End is allowed here',
    ],
    [
      "upper-side-minus-infinity",
      4,
      19,
      "-infinity as an upper bound; a finite number (below 1e20 in size), or inf for none, is allowed",
    ],
    ["variable-instead-of-number", 4, 12, 'found "y"; a number is needed; variables stand on the left-hand side'],
    [
      "variable-on-the-right",
      4,
      14,
      'found "y" behind the right-hand side; variables stand on the left-hand side, the next constraint on a line of its own',
    ],
  ];

  it.each(faults)("%s is refused at line %d, column %d", (name, line, column, text) => {
    let found: unknown;
    try {
      parseLp(readFileSync(new URL(`${name}.lp`, folder)));
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(LpError);
    expect(found).toMatchObject({ line, column, message: `line ${line}, column ${column}: ${text}` });
  });

  it("of each kind is in the table", () => {
    expect(faults.map(([name]) => `${name}.lp`).sort()).toEqual(readdirSync(folder).sort());
  });
});
