// Rules of the MPS reader: what each construct of the format means, and that every fault is located.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MpsError, type MpsOptions, parseMps, readMps } from "./mps.ts";

const inf = Number.POSITIVE_INFINITY;
const f64 = (...values: number[]) => Float64Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);
const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (text: string, options?: MpsOptions) => parseMps(bytes(text), options);

/** A small model; `parts` replaces or adds sections (given without their first line). */
function model(parts: { [section: string]: string | undefined } = {}): string {
  const sections: { [section: string]: string | undefined } = {
    OBJSENSE: undefined,
    OBJNAME: undefined,
    ROWS: " N cost\n L cap\n G need\n E fix\n",
    COLUMNS: " x cost 1 cap 1\n x need 1\n y cost 2 cap 3\n y fix 1\n",
    RHS: " RHS cap 9 need 2\n RHS fix 5\n",
    RANGES: undefined,
    BOUNDS: undefined,
    ...parts,
  };
  const text = Object.entries(sections).map(([name, body]) => (body === undefined ? "" : `${name}\n${body}`));
  return `NAME toy\n${text.join("")}ENDATA\n`;
}

/** What bzip2 makes of `model()`. */
const bzip2OfTheModel =
  "QlpoOTFBWSZTWbch8CcAACVfgAAQQAA6IC7HnoAvIcxgIABoNTUyPU2p6g000aAAMkEaaAGhpoBpPryQMjFfqK756VJQTWlYGRNVkaYk6LoUoB" +
  "BgE3wYpmq1RKRhutr6YuY0JKVaB+lnIDiegfSo+FCw8eAfGZbMoFoPxdyRThQkLch8CcA=";

const bounds = (text: string, columns?: string) => {
  const { problem } = parse(model({ BOUNDS: text, ...(columns !== undefined && { COLUMNS: columns }) }));
  return problem.variableNames?.map((_, j) => [problem.variableLower[j], problem.variableUpper[j]]);
};

describe("a model", () => {
  it("becomes rows in compressed form, without its objective row", () => {
    const { problem, isMip, warnings } = parse(model());
    expect(warnings).toEqual([]);
    expect(isMip).toBe(false);
    expect(problem).toEqual({
      name: "toy",
      objectiveName: "cost",
      maximize: false,
      objectiveScaling: 1,
      objectiveOffset: 0,
      rows: 3,
      columns: 2,
      matrix: { offsets: i32(0, 2, 3, 4), indices: i32(0, 1, 0, 1), values: f64(1, 3, 1, 1) },
      objective: f64(1, 2),
      rowLower: f64(-inf, 2, 5),
      rowUpper: f64(9, inf, 5),
      variableLower: f64(0, 0),
      variableUpper: f64(inf, inf),
      variableTypes: undefined,
      quadratic: undefined,
      variableNames: ["x", "y"],
      rowNames: ["cap", "need", "fix"],
    });
  });

  it("is the same with CRLF, tabs, comments, blank lines and a byte order mark", () => {
    const odd = `\ufeff* comment\n${model().replaceAll("\n", "\r\n\r\n").replaceAll(" ", "\t")}`.replace(
      "ENDATA",
      "$ comment\n\t\nENDATA",
    );
    expect(parse(odd).problem).toEqual(parse(model()).problem);
  });

  it("may have a comment behind $ on a data line", () => {
    const text = model({ RHS: " RHS cap 9 $ and more\n need 2 $ too\n fix 5\n" });
    expect(parse(text).problem).toEqual(parse(model()).problem);
  });

  it("ends at ENDATA, whatever follows", () => {
    expect(parse(`${model()}GARBAGE\n`).problem).toEqual(parse(model()).problem);
  });

  it("leaves out zero coefficients", () => {
    const { problem } = parse(model({ COLUMNS: " x cost 1 cap 0\n y need 1\n" }));
    expect(problem.matrix).toEqual({ offsets: i32(0, 0, 1, 1), indices: i32(1), values: f64(1) });
  });

  it("without NAME or ENDATA is read with a warning", () => {
    const cut = model().replace("NAME toy\n", "").replace("ENDATA\n", "");
    expect(parse(cut).warnings).toEqual(["there is no NAME", "there is no ENDATA: the file may be cut off"]);
  });

  it("may have blanks in its NAME", () => {
    expect(parse(model().replace("toy", "my toy model")).problem.name).toBe("my toy model");
  });

  it("takes lazy constraints as rows", () => {
    const text = model().replace("COLUMNS\n", "LAZYCONS\n L lazy\nCOLUMNS\n x lazy 7\n");
    const { problem } = parse(text);
    expect(problem.rowNames).toEqual(["cap", "need", "fix", "lazy"]);
    expect(problem.rowUpper[3]).toBe(0);
  });
});

describe("the objective", () => {
  it("is the first N row; further N rows are dropped with a warning", () => {
    const text = model({ ROWS: " N cost\n N extra\n L cap\n G need\n N more\n E fix\n" });
    const { problem, warnings } = parse(text.replace(" x need 1", " x need 1 extra 8"));
    expect(problem.objective).toEqual(f64(1, 2));
    expect(problem.rows).toBe(3);
    expect(warnings).toEqual(["2 further N row(s) dropped, first: extra"]);
  });

  it("is the N row that OBJNAME asks for", () => {
    const rows = " N other\n N cost\n L cap\n G need\n E fix\n";
    for (const head of ["OBJNAME cost\n", "OBJNAME\n    cost\n"]) {
      const { problem } = parse(model({ ROWS: rows }).replace("ROWS\n", `${head}ROWS\n`));
      expect(problem.objectiveName).toBe("cost");
      expect(problem.objective).toEqual(f64(1, 2));
    }
  });

  it("is zero, with a warning, when there is no N row", () => {
    const { problem, warnings } = parse(model({ ROWS: " E cost\n L cap\n G need\n E fix\n" }));
    expect(problem.objective).toEqual(f64(0, 0));
    expect(warnings).toEqual(["there is no N row: the objective is 0"]);
  });

  it("has minus its right-hand side as offset", () => {
    expect(parse(model({ RHS: " RHS cost -7.113\n" })).problem.objectiveOffset).toBe(7.113);
  });

  it.each([
    ["MIN", false],
    ["MINIMIZE", false],
    ["MAX", true],
    ["MAXIMIZE", true],
    ["max", true],
  ])("with OBJSENSE %s on the same or the next line has maximize %s", (word, maximize) => {
    for (const head of [`OBJSENSE ${word}\n`, `OBJSENSE\n    ${word}\n`]) {
      expect(parse(model().replace("ROWS\n", `${head}ROWS\n`)).problem.maximize).toBe(maximize);
    }
  });

  it("takes a sense that stands in column 1 of the next line", () => {
    expect(parse(model().replace("ROWS\n", "OBJSENSE\nMAX\nROWS\n")).problem.maximize).toBe(true);
  });
});

describe("right-hand sides and ranges", () => {
  it("need no name of the set", () => {
    expect(parse(model({ RHS: " cap 9 need 2\n fix 5\n" })).problem).toEqual(parse(model()).problem);
  });

  it("are 0 where not given", () => {
    const { problem } = parse(model({ RHS: "" }));
    expect(problem.rowUpper).toEqual(f64(0, inf, 0));
    expect(problem.rowLower).toEqual(f64(-inf, 0, 0));
  });

  it.each([
    ["cap", 4, 5, 9],
    ["cap", -4, 5, 9],
    ["need", 4, 2, 6],
    ["need", -4, 2, 6],
    ["fix", 4, 5, 9],
    ["fix", -4, 1, 5],
    ["fix", 0, 5, 5],
  ])("give row %s with range %d the bounds %d and %d", (row, range, lower, upper) => {
    for (const set of ["RNG ", ""]) {
      const { problem } = parse(model({ RANGES: ` ${set}${row} ${range}\n` }));
      const at = problem.rowNames?.indexOf(row) as number;
      expect([problem.rowLower[at], problem.rowUpper[at]]).toEqual([lower, upper]);
    }
  });

  it("take a range that stands before the right-hand side", () => {
    const text = model().replace("RHS\n", "RANGES\n RNG cap 4\nRHS\n");
    expect(parse(text).problem.rowLower[0]).toBe(5);
  });

  it("free a row whose right-hand side is infinite on the side where it means no bound", () => {
    const { problem } = parse(model({ RHS: " RHS cap 1e30 need -inf\n", RANGES: " RNG cap 4\n" }));
    expect([problem.rowLower[0], problem.rowUpper[0]]).toEqual([-inf, inf]);
    expect([problem.rowLower[1], problem.rowUpper[1]]).toEqual([-inf, inf]);
  });

  it("of a second set are applied, with a warning", () => {
    const { problem, warnings } = parse(model({ RHS: " A cap 9\n B need 2\n" }));
    expect(problem.rowLower[1]).toBe(2);
    expect(warnings).toEqual(['line 14: a second set, "B" beside "A", in RHS; all are applied']);
  });
});

describe("bounds", () => {
  it.each([
    [" LO BND x 2\n", [2, inf]],
    [" UP BND x 2\n", [0, 2]],
    [" UP BND x 0\n", [0, 0]],
    [" UP BND x -2\n", [-inf, -2]],
    [" LO BND x -5\n UP BND x -2\n", [-5, -2]],
    [" UP BND x -2\n LO BND x -5\n", [-5, -2]],
    [" LO BND x 0\n UP BND x -2\n", [0, -2]],
    [" FX BND x 2\n", [2, 2]],
    [" FR BND x\n", [-inf, inf]],
    [" MI BND x\n", [-inf, inf]],
    [" MI BND x\n UP BND x 3\n", [-inf, 3]],
    [" UP BND x 3\n PL BND x\n", [0, inf]],
    [" BV BND x\n", [0, 1]],
    [" LI BND x 2\n", [2, inf]],
    [" UI BND x 2\n", [0, 2]],
    [" UI BND x 7\n LI BND x 3\n", [3, 7]],
    [" LO BND x -1e30\n UP BND x 1e30\n", [-inf, inf]],
    [" LO BND x -inf\n UP BND x +Infinity\n", [-inf, inf]],
    [" UP x 2\n", [0, 2]],
    [" FR x\n", [-inf, inf]],
    [" FR BND x 0\n", [-inf, inf]],
    [" FR x 0\n", [-inf, inf]],
  ])("%j give %j", (text, expected) => {
    expect(bounds(text)?.[0]).toEqual(expected);
    expect(bounds(text)?.[1]).toEqual([0, inf]);
  });

  it("make integer what is bounded by BV, LI or UI", () => {
    const { problem, isMip } = parse(model({ BOUNDS: " LI BND y 0\n" }));
    expect(isMip).toBe(true);
    expect(problem.variableTypes).toEqual(i32(0, 1));
  });

  it("make semi-continuous what is bounded by SC, with or without an upper bound", () => {
    const { problem, isMip } = parse(model({ BOUNDS: " LO BND x 2\n SC BND x 10\n SC BND y\n" }));
    expect(isMip).toBe(true);
    expect(problem.variableTypes).toEqual(i32(2, 2));
    expect(problem.variableLower).toEqual(f64(2, 0));
    expect(problem.variableUpper).toEqual(f64(10, inf));
  });

  it("add a variable that COLUMNS does not have, with a warning", () => {
    const { problem, warnings } = parse(model({ BOUNDS: " UP BND z 4\n FR BND w\n" }));
    expect(problem.variableNames).toEqual(["x", "y", "z", "w"]);
    expect(problem.variableUpper).toEqual(f64(inf, inf, 4, inf));
    expect(problem.matrix.offsets).toEqual(i32(0, 2, 3, 4));
    expect(warnings).toEqual(["BOUNDS adds 2 variable(s) that COLUMNS does not have, first: z"]);
  });

  it("that open a lower bound or cross are told", () => {
    const { warnings } = parse(model({ BOUNDS: " UP BND x -1\n LO BND y 4\n UP BND y 2\n" }));
    expect(warnings).toEqual([
      "1 variable(s) with a negative upper and no lower bound: the lower one becomes -Infinity, first: x",
      "1 variable(s) with crossed bounds, so the model is infeasible, first: y (lower bound 4, upper bound 2)",
    ]);
  });
});

describe("a MARKER block", () => {
  const columns = " M1 'MARKER' 'INTORG'\n x cost 1 cap 1\n M2 'MARKER' 'INTEND'\n y cost 2 cap 3\n";

  it("makes its variables integer, and binary when they have no bound", () => {
    const { problem, isMip } = parse(model({ COLUMNS: columns }));
    expect(isMip).toBe(true);
    expect(problem.variableTypes).toEqual(i32(1, 0));
    expect(bounds("", columns)).toEqual([
      [0, 1],
      [0, inf],
    ]);
  });

  it.each([
    [" LO BND x 0\n", [0, inf]],
    [" UP BND x 9\n", [0, 9]],
    [" PL BND x\n", [0, inf]],
    [" MI BND x\n", [-inf, inf]],
  ])("leaves the default of 1 to bounds given by %j", (text, expected) => {
    expect(bounds(text, columns)?.[0]).toEqual(expected);
  });
});

describe("a quadratic objective", () => {
  /** The effective Hessian Q + Qᵀ, dense. */
  function hessian(section: string): number[][] {
    const { problem } = parse(model().replace("ENDATA", `${section}ENDATA`));
    const h = [
      [0, 0],
      [0, 0],
    ];
    const { offsets, indices, values } = problem.quadratic!;
    for (let i = 0; i < 2; i++) {
      for (let at = offsets[i]!; at < offsets[i + 1]!; at++) {
        h[i]![indices[at]!]! += values[at]!;
        h[indices[at]!]![i]! += values[at]!;
      }
    }
    return h;
  }
  const expected = [
    [2, -1],
    [-1, 6],
  ];

  it("from QUADOBJ has the Hessian whose triangle is given, either one", () => {
    expect(hessian("QUADOBJ\n x x 2\n x y -1\n y y 6\n")).toEqual(expected);
    expect(hessian("QUADOBJ\n x x 2\n y x -1\n y y 6\n")).toEqual(expected);
  });

  it("from QMATRIX has the Hessian that is given in full", () => {
    expect(hessian("QMATRIX\n x x 2\n x y -1\n y x -1\n y y 6\n")).toEqual(expected);
  });
});

describe("the fixed layout", () => {
  /** A data line with its fields in columns 2, 5, 15, 25, 40 and 50. */
  function card(type: string, name: string, first = "", value = "", second = "", secondValue = ""): string {
    const left = ` ${type.padEnd(3)}${name.padEnd(10)}${first.padEnd(10)}${value.padStart(12)}`;
    return `${left}   ${second.padEnd(10)}${secondValue.padStart(12)}`.trimEnd();
  }
  const fixed = [
    "NAME          BLANKS",
    "ROWS",
    card("N", "MY COST"),
    card("L", "MY CAP"),
    "COLUMNS",
    card("", "X 1", "MY COST", "1.0", "MY CAP", "2.0"),
    card("", "Y", "MY CAP", "3.0"),
    "RHS",
    card("", "", "MY CAP", "9.0"),
    "BOUNDS",
    card("UP", "", "X 1", "4.0"),
    "ENDATA",
    "",
  ].join("\n");

  it.each(["fixed", "auto"] as const)("takes names with blanks (layout %s)", (layout) => {
    const { problem, warnings } = parse(fixed, { layout });
    expect(warnings).toEqual([]);
    expect(problem.variableNames).toEqual(["X 1", "Y"]);
    expect(problem.rowNames).toEqual(["MY CAP"]);
    expect(problem.matrix.values).toEqual(f64(2, 3));
    expect(problem.rowUpper).toEqual(f64(9));
    expect(problem.variableUpper).toEqual(f64(4, inf));
  });

  it("is found out wherever the first name with a blank appears", () => {
    const columnOnly = fixed.replaceAll("MY ", "MY_");
    expect(parse(columnOnly).problem.variableNames).toEqual(["X 1", "Y"]);
    expect(parse(columnOnly).problem.variableUpper).toEqual(f64(4, inf));
  });

  it("is not tried when the free one is asked for", () => {
    expect(() => parse(fixed, { layout: "free" })).toThrow(/line 3, column 8: unexpected "COST"/);
  });

  it("refuses text between the fields", () => {
    const broken = fixed.replace("    Y         MY CAP", "    Y        XMY CAP");
    expect(() => parse(broken, { layout: "fixed" })).toThrow(/line 7, column 14: unexpected "X" between the fields/);
  });

  it("reads what stands in both layouts alike", () => {
    const both = fixed.replaceAll("MY ", "MY_").replaceAll("X 1", "X_1");
    expect(parse(both, { layout: "fixed" }).problem).toEqual(parse(both, { layout: "free" }).problem);
  });
});

describe("numbers", () => {
  it.each([
    "1",
    "-1",
    "+1.5",
    ".5",
    "5.",
    "1e3",
    "1E-3",
    "1.25e+2",
    "-0.1",
    "3.141592653589793",
    "123456789012345678901234567890",
    "9007199254740993",
    "0.1e-7",
    "4.9e-324",
    "1.7976931348623157e308",
    "2.2250738585072014e-308",
    "000000000000000000000.3",
    "0.000000000000000000000000123456789",
  ])("%s is read as its nearest double", (text) => {
    expect(parse(model({ RHS: ` RHS fix 0\n RHS cost ${text}\n` })).problem.objectiveOffset).toBe(-Number(text));
  });

  it.each(["1e", "e5", ".", "-", "0x10", "1_000", "1e+", "--1", "1.5.", "infinite", "1d3"])("%s is refused", (text) => {
    expect(() => parse(model({ RHS: ` RHS cost ${text}\n` }))).toThrow(MpsError);
  });
});

describe("a stream", () => {
  async function* cut(data: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
  }

  it.each([1, 2, 3, 7, 1000])("of chunks of %d bytes gives the same model, plain and gzip", async (size) => {
    const expected = parse(model());
    expect(await readMps(cut(bytes(model()), size))).toEqual(expected);
    expect(await readMps(cut(gzipSync(bytes(model())), size))).toEqual(expected);
  });

  it.each([
    ["ENDATA is read", bytes(model()), undefined],
    ["ENDATA is read from gzip data", gzipSync(bytes(model())), undefined],
    ["a fault is found", bytes("NONSENSE\n"), MpsError],
    ["a compression is refused", bytes("BZh91AY&SY"), MpsError],
  ])("is closed as soon as %s", async (_, head, fault) => {
    let close = (): void => undefined;
    const closed = new Promise<void>((resolve) => {
      close = resolve;
    });
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        yield head;
        for (;;) yield bytes("more\n");
      } finally {
        close();
      }
    }
    const reading = readMps(endless());
    if (fault === undefined) expect((await reading).problem.rows).toBe(3);
    else await expect(reading).rejects.toThrow(fault);
    await closed;
  });

  it("that is cut off inside gzip data is an error that says so", async () => {
    const data = gzipSync(bytes(model())).subarray(0, -12);
    await expect(readMps(cut(data, 10))).rejects.toThrow(/^line \d+, column 1: the gzip data are damaged or cut off/);
    expect(() => parseMps(data)).toThrow(MpsError);
  });

  it("that fails passes its own error on, plain and gzip", async () => {
    async function* failing(head: Uint8Array): AsyncGenerator<Uint8Array> {
      yield head;
      throw new Error("disk gone");
    }
    await expect(readMps(failing(bytes("NAME\n")))).rejects.toThrow("disk gone");
    await expect(readMps(failing(gzipSync(bytes(model())).subarray(0, 20)))).rejects.toThrow("disk gone");
  });

  it("stops for an aborted signal", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(readMps(cut(bytes(model()), 10), { signal })).rejects.toThrow("enough");
  });

  it("with a line without end is refused before it fills the memory", () => {
    expect(() => parse(`NAME ${"x".repeat(2 ** 20)}`)).toThrow(/^line 1, column 1048577: the line is longer than/);
  });

  it("compressed with bzip2 is read, whole and in chunks", async () => {
    const data = Buffer.from(bzip2OfTheModel, "base64");
    expect(parseMps(data).problem).toEqual(parse(model()).problem);
    expect((await readMps(cut(data, 10))).problem).toEqual(parse(model()).problem);
  });

  it("that is cut off or damaged inside bzip2 data is an error that says so", async () => {
    const data = Buffer.from(bzip2OfTheModel, "base64");
    const damaged = Buffer.from(data);
    damaged[60] = (damaged[60] as number) ^ 0x10;
    for (const broken of [data.subarray(0, -12), damaged]) {
      expect(() => parseMps(broken)).toThrow(MpsError);
      await expect(readMps(cut(broken, 10))).rejects.toThrow(
        /^line \d+, column 1: the bzip2 data are damaged or cut off/,
      );
    }
  });
});

describe("a broken file", () => {
  const folder = new URL("../../testdata/mps-broken/", import.meta.url);
  const faults: [name: string, line: number, column: number, text: string][] = [
    ["bound-fixed-at-infinity", 13, 28, 'found "inf" as FX bound; a finite number (below 1e20 in size) is allowed'],
    [
      "bound-lower-plus-infinity",
      13,
      28,
      'found "1e30" as LO bound; a finite number (below 1e20 in size), or -inf for none, is allowed',
    ],
    ["bound-number-malformed", 13, 28, 'found "four"; a number is needed'],
    ["bound-number-missing", 13, 16, "the line ends here; a number is needed"],
    [
      "bound-semi-continuous-integer",
      15,
      15,
      'variable "X" would be both integer and semi-continuous; one of them is allowed',
    ],
    ["bound-semi-continuous-negative", 13, 28, 'found "-1" as SC bound; 0 or more is allowed'],
    ["bound-too-many-fields", 13, 15, 'unexpected "5.0"; the line should end before'],
    ["bound-type-unknown", 13, 2, 'found "LC"; a bound type, one of LO, UP, FX, FR, MI, PL, BV, LI, UI, SC, is needed'],
    [
      "bound-upper-minus-infinity",
      13,
      28,
      'found "-inf" as UP bound; a finite number (below 1e20 in size), or inf for none, is allowed',
    ],
    ["bound-variable-missing", 13, 4, "the line ends here; the name of a variable is needed"],
    ["bounds-before-columns", 4, 1, "BOUNDS before COLUMNS; COLUMNS must come first"],
    ["coefficient-infinite", 8, 28, 'found "inf"; a finite number is needed'],
    [
      "column-interrupted",
      10,
      5,
      'variable "X" again, behind others; the entries of a variable must follow each other',
    ],
    ["columns-before-rows", 2, 1, "COLUMNS before ROWS; ROWS must come first"],
    ["data-before-any-section", 1, 1, "a data line before any section; a section name in column 1 is needed first"],
    ["data-in-name", 2, 1, "a data line in NAME; a section name in column 1 is needed first"],
    ["entry-twice-on-one-line", 9, 34, 'a second entry of variable "Y" in row "CAP"; one is allowed'],
    ["entry-twice", 8, 15, 'a second entry of variable "X" in row "CAP"; one is allowed'],
    ["fault-behind-accents", 12, 15, 'unknown row "NEEX"; a row of ROWS is needed'],
    ["lazy-constraint-of-type-n", 7, 2, 'found "N"; a lazy constraint is of type L, G or E'],
    ["marker-of-unknown-kind", 7, 40, "found \"'SOSORG'\"; 'INTORG' or 'INTEND' is needed"],
    ["marker-without-kind", 7, 23, "the line ends here; 'INTORG' or 'INTEND' is needed"],
    ["no-columns", 4, 1, "the file ends without a COLUMNS section"],
    ["no-rhs", 10, 1, "the file ends without a RHS section"],
    ["no-rows", 2, 1, "the file ends without a ROWS section"],
    ["number-malformed", 8, 28, 'found "1.0.0"; a number is needed'],
    ["number-missing", 8, 19, "the line ends here; a number is needed"],
    ["number-nan", 8, 28, 'found "nan"; a number is needed'],
    ["number-with-comma", 8, 28, 'found "1,5"; a number is needed'],
    ["objname-behind-rows", 6, 1, "OBJNAME behind ROWS; it must come before"],
    ["objname-of-a-constraint", 2, 9, 'OBJNAME asks for "CAP"; it must be the name of an N row of ROWS'],
    ["objname-unknown", 3, 5, 'OBJNAME asks for "PROFIT"; it must be the name of an N row of ROWS'],
    ["objname-without-value", 2, 8, "OBJNAME has no value; the name of an N row is needed"],
    [
      "objsense-unknown-on-the-section-line",
      2,
      10,
      'unknown objective sense "UPWARDS"; MIN, MINIMIZE, MAX and MAXIMIZE are allowed',
    ],
    ["objsense-unknown", 3, 5, 'unknown objective sense "UPWARDS"; MIN, MINIMIZE, MAX and MAXIMIZE are allowed'],
    ["objsense-without-value", 2, 9, "OBJSENSE has no value; MIN, MINIMIZE, MAX or MAXIMIZE is needed"],
    [
      "quadratic-entry-twice",
      16,
      15,
      'a second QMATRIX entry for "X" and "X"; each pair once in each order, is allowed',
    ],
    ["quadratic-given-twice", 16, 1, "both QUADOBJ and QMATRIX; only one may give the quadratic objective"],
    [
      "quadratic-in-both-triangles",
      17,
      15,
      'a second QUADOBJ entry for "X" and "Y"; each pair once, in one triangle only, is allowed',
    ],
    ["quadratic-number-missing", 15, 16, "the line ends here; a number is needed"],
    ["quadratic-variable-unknown", 15, 15, 'unknown variable "Z"; a variable of COLUMNS is needed'],
    ["range-of-the-objective", 13, 15, 'a range for "COST", which is an N row; rows of type L, G and E have ranges'],
    ["range-row-unknown", 13, 15, 'unknown row "CAX"; a row of ROWS is needed'],
    ["range-twice", 14, 15, 'a second range for row "CAP"; one is allowed'],
    [
      "rhs-infinite-on-the-wrong-side",
      11,
      47,
      "right-hand side Infinity of a row of type G; a finite number (below 1e20 in size) is needed",
    ],
    ["rhs-number-missing", 11, 5, 'unknown row "RHS"; a row of ROWS is needed'],
    ["rhs-row-unknown", 11, 34, 'unknown row "NEEX"; a row of ROWS is needed'],
    ["rhs-twice-on-one-line", 11, 34, 'row "CAP" twice on one line; once is allowed'],
    ["rhs-twice", 12, 15, 'a second right-hand side for row "CAP"; one is allowed'],
    ["row-line-too-long", 5, 10, 'unexpected "EXTRA AND MORE"; the line should end before'],
    ["row-name-missing", 4, 3, "the line ends here; the name of a row is needed"],
    ["row-name-twice", 5, 5, 'a second row named "CAP"; each name is allowed once'],
    ["row-type-unknown", 4, 2, 'found "Q"; a row type, N, L, G or E, is needed'],
    ["row-unknown-in-columns", 8, 15, 'unknown row "NEEX"; a row of ROWS is needed'],
    ["second-pair-without-number", 9, 37, "the line ends here; a number is needed"],
    ["second-section", 12, 1, "a second RHS section; one is allowed"],
    ["text-behind-section", 2, 7, 'unexpected "MORE" behind ROWS; nothing may follow on its line'],
    ["too-many-fields", 8, 25, 'unexpected "3.0"; the line should end before'],
    [
      "unknown-section",
      12,
      1,
      'unknown section "SOS"; NAME, OBJSENSE, OBJNAME, ROWS, LAZYCONS, COLUMNS, RHS, RANGES, BOUNDS, QUADOBJ, QMATRIX, ENDATA are allowed',
    ],
  ];

  it.each(faults)("%s is refused at line %d, column %d", (name, line, column, text) => {
    let found: unknown;
    try {
      parseMps(readFileSync(new URL(`${name}.mps`, folder)));
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(MpsError);
    expect(found).toMatchObject({ line, column, message: `line ${line}, column ${column}: ${text}` });
  });

  it.each(["SOS1", "INDICATORS", "USERCUTS", "QCMATRIX", "QSECTION"])("with a section %s is refused", (section) => {
    expect(() => parse(model().replace("ENDATA", `${section}\nENDATA`))).toThrow(`unknown section "${section}"`);
  });

  it("of each kind is in the table", () => {
    expect(faults.map(([name]) => `${name}.mps`).sort()).toEqual(readdirSync(folder).sort());
  });
});
