// Rules of the look at a model: what it counts, and which mistakes it tells.
import { describe, expect, it } from "vitest";
import { parseLp } from "./formats/index.ts";
import { inspectModel } from "./inspect.ts";

const inspect = (text: string) => inspectModel(parseLp(Buffer.from(text)).problem);
const findings = (text: string) =>
  inspect(text).findings.map(({ kind, count, examples }) => [kind, count, ...examples]);

/** A model that is sound, with one part replaced or added. */
const model = ({ objective = "x + y", rows = "", rest = "" }) =>
  `min ${objective}\nst\n base: x + 2 y >= 3\n cap: x + y <= 100\n${rows}\n${rest}\nend\n`;

describe("a report", () => {
  it("counts rows and variables by kind, and the sizes of their numbers", () => {
    expect(
      inspect(
        "max 3 x + y + z + b\nst\n a: x + 0.5 y <= 4\n b: x - z = 1\n c: -5 <= y + 200 z <= 8\nbounds\n y free\n" +
          " z = 2\ngeneral\n x\nbinary\n b\nend\n",
      ),
    ).toMatchObject({
      rows: 3,
      columns: 4,
      nonzeros: 6,
      rowKinds: { equality: 1, oneSided: 1, range: 1, free: 0 },
      variableKinds: { continuous: 2, binary: 1, integer: 1, semiContinuous: 0 },
      free: 1,
      fixed: 1,
      ranges: {
        matrix: { smallest: 0.5, largest: 200 },
        objective: { smallest: 1, largest: 3 },
        quadratic: undefined,
        variableBounds: { smallest: 1, largest: 2 },
        rowBounds: { smallest: 1, largest: 8 },
      },
    });
  });

  it("finds nothing in a sound model", () => {
    expect(findings(model({}))).toEqual([]);
  });
});

describe("a mistake is told", () => {
  it.each([
    ["crossed bounds", model({ rest: "bounds\n 5 <= x <= 3" }), ["crossed-bounds", 1, "x (5 above 3)"]],
    ["a row that cannot hold", model({ rows: " bad: x + y <= -1" }), ["unsatisfiable-row", 1, "bad"]],
    ["an empty row that cannot hold", model({ rows: " bad: 0 x >= 1" }), ["unsatisfiable-row", 1, "bad"]],
    ["an empty row", model({ rows: " idle: 0 x >= -1" }), ["empty-row", 1, "idle"]],
    ["a row without bounds", model({ rows: " idle: x >= -inf" }), ["free-row", 1, "idle"]],
    ["a row that always holds", model({ rows: " idle: x + 3 y >= -1" }), ["redundant-row", 1, "idle"]],
    ["a duplicate row", model({ rows: " twin: 2 x + 4 y <= 300" }), ["duplicate-row", 1, "twin of base"]],
    ["a variable in no row", model({ objective: "x + y + 0 z" }), ["empty-column", 1, "z"]],
    ["a cost that drives to infinity", model({ objective: "x + y - z" }), ["unbounded-variable", 1, "z"]],
    [
      "a tiny coefficient",
      model({ rows: " c: 1e-12 x + 1e-11 y >= 1" }),
      ["tiny-coefficient", 2, "c: 1e-12 x", "c: 1e-11 y"],
    ],
    ["a wide row", model({ rows: " m: x - 1e10 y <= 7" }), ["wide-row", 1, "m (1 to 10000000000)"]],
    ["a huge bound", model({ rest: "bounds\n x <= 1e16" }), ["huge-bound", 1, "x (0 to 10000000000000000)"]],
    [
      "an integer without a whole number in its bounds",
      model({ rest: "bounds\n 0.2 <= x <= 0.8\ngeneral\n x" }),
      ["no-integer-in-bounds", 1, "x (0.2 to 0.8)"],
    ],
    ["a free integer", model({ rest: "bounds\n x free\ngeneral\n x" }), ["unbounded-integer", 1, "x"]],
    [
      "an integer with a huge bound",
      model({ rest: "bounds\n x <= 1e12\ngeneral\n x" }),
      ["huge-integer-bound", 1, "x (0 to 1000000000000)"],
    ],
    ["no objective", model({ objective: "0 x" }), ["no-objective", 1]],
  ])("%s", (_, text, finding) => {
    expect(findings(text)).toContainEqual(finding);
  });

  it("a duplicate column, in the order of the rows or not", () => {
    expect(findings("min x + y + z\nst\n a: x + y >= 1\n b: 3 y + 3 x + z >= 1\nend\n")).toEqual([
      ["duplicate-column", 1, "y of x"],
    ]);
  });
});
