// Rules of the model builder: names, bounds, sparse rows, and what it refuses.
import { describe, expect, it } from "vitest";
import { InvalidModelError } from "./input-errors.ts";
import { Model } from "./model.ts";

/** What is not undefined, with typed arrays as plain ones. */
const plain = (value: object): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, each) => {
      if (ArrayBuffer.isView(each)) return Array.from(each as Float64Array, String);
      return each;
    }),
  );

describe("a model", () => {
  it("becomes sparse arrays in the order in which it was built", () => {
    const model = new Model("small");
    const x = model.variable("x", { upper: 4 });
    const y = model.variable("y", { lower: -Infinity, type: "integer" });
    model.variable("z", { type: "binary" });
    model.constraint("first", { z: 3, x: 1 }, "<=", 5);
    model.constraint("second", [[y, 2]], ">=", -1);
    model.constraint("third", new Map([["x", 1]]), "=", 2);
    model.range("fourth", -1, [], 1);
    model.maximize({ x: 1, z: -2 }, { offset: 7, name: "profit" });
    expect(plain(model.toProblem())).toEqual({
      name: "small",
      objectiveName: "profit",
      maximize: true,
      objectiveOffset: 7,
      objective: ["1", "0", "-2"],
      matrix: { offsets: ["0", "2", "3", "4", "4"], indices: ["2", "0", "1", "0"], values: ["3", "1", "2", "1"] },
      rowLower: ["-Infinity", "-1", "2", "-1"],
      rowUpper: ["5", "Infinity", "2", "1"],
      variableLower: ["0", "-Infinity", "0"],
      variableUpper: ["4", "Infinity", "1"],
      variableTypes: ["0", "1", "1"],
      variableNames: ["x", "y", "z"],
      rowNames: ["first", "second", "third", "fourth"],
    });
    expect(model.kind).toBe("mip");
    expect([x.index, y.index]).toEqual([0, 1]);
  });

  it("without integers is an LP and has no types", () => {
    const model = new Model();
    model.variable("x");
    expect(model.kind).toBe("lp");
    expect(model.toProblem().variableTypes).toBeUndefined();
  });

  it("adds up coefficients of the same variable", () => {
    const model = new Model();
    const x = model.variable("x");
    model.constraint(
      "row",
      [
        [x, 1],
        ["x", 2],
      ],
      "<=",
      1,
    );
    model.minimize([
      [x, 0.5],
      [x, 0.25],
    ]);
    const { matrix, objective } = model.toProblem();
    expect(matrix?.values).toEqual(Float64Array.of(3));
    expect(matrix?.indices).toEqual(Int32Array.of(0));
    expect(objective).toEqual(Float64Array.of(0.75));
  });

  it("takes products as the formula writes them, without a half, in either order", () => {
    const model = new Model();
    const x = model.variable("x");
    const y = model.variable("y");
    model.minimize([], {
      quadratic: [
        [y, y, 5],
        [x, y, 2],
        ["y", "x", 1],
        [x, x, 3],
      ],
    });
    expect(model.toProblem().quadratic).toEqual({
      offsets: Int32Array.of(0, 2, 3),
      indices: Int32Array.of(1, 0, 1),
      values: Float64Array.of(3, 3, 5),
    });
  });

  it("forgets the objective that was set before", () => {
    const model = new Model();
    const x = model.variable("x");
    model.maximize({ x: 5 }, { quadratic: [[x, x, -1]], offset: 3 });
    model.minimize({ x: 1 });
    const { maximize, objectiveOffset, quadratic, objective } = model.toProblem();
    expect({ maximize, objectiveOffset, quadratic }).toEqual({
      maximize: false,
      objectiveOffset: 0,
      quadratic: undefined,
    });
    expect(objective).toEqual(Float64Array.of(1));
  });

  it("may grow after it was turned into arrays", () => {
    const model = new Model();
    model.variable("x");
    const before = model.toProblem();
    model.variable("y");
    expect(before.objective).toHaveLength(1);
    expect(model.toProblem().objective).toHaveLength(2);
  });

  it("starts from values of all variables", () => {
    const model = new Model();
    model.variable("x");
    model.variable("y");
    model.startFrom(
      new Map([
        ["y", 2],
        ["x", 1],
      ]),
    );
    expect(model.toProblem().initialPrimal).toEqual(Float64Array.of(1, 2));
    model.variable("z");
    expect(() => model.toProblem()).toThrow(/^the start has no value for z/);
    expect(() => model.startFrom({ x: 1, z: 3 })).toThrow(/^the start has no value for y/);
    expect(() => model.startFrom({ x: 1, y: 2, w: 3 })).toThrow(/^the start: there is no variable w/);
  });

  it("refuses names that are taken, empty, unknown or from elsewhere", () => {
    const model = new Model();
    model.variable("bread");
    model.constraint("energy", {}, "<=", 1);
    const stranger = new Model().variable("bread");
    expect(() => model.variable("bread")).toThrow("there is a variable bread already; each needs a name of its own");
    expect(() => model.constraint("energy", {}, "<=", 1)).toThrow(/^there is a constraint energy already/);
    expect(() => model.range("energy", 0, {}, 1)).toThrow(/^there is a constraint energy already/);
    expect(() => model.variable("")).toThrow(/^a variable has an empty name/);
    expect(() => model.variable("a\0b")).toThrow(/must not contain NUL/);
    expect(() => model.constraint("c", { braed: 1 }, "<=", 1)).toThrow(
      "constraint c: there is no variable braed; did you mean bread?",
    );
    expect(() => model.minimize([[stranger, 1]])).toThrow("the objective: variable bread belongs to another model");
    expect(() => model.variable("bread")).toThrow(InvalidModelError);
  });

  it("refuses numbers that cannot be meant", () => {
    const model = new Model();
    model.variable("x");
    expect(() => model.constraint("c", { x: Number.NaN }, "<=", 1)).toThrow(
      "constraint c: the coefficient of x is NaN; a finite number is needed",
    );
    expect(() => model.constraint("c", { x: 1 }, "<=", Infinity)).toThrow(/^constraint c: the right-hand side is Inf/);
    expect(() => model.range("c", Number.NaN, { x: 1 }, 1)).toThrow(/^constraint c: lower is NaN/);
    expect(() => model.variable("y", { upper: Number.NaN })).toThrow(/^variable y: upper is NaN/);
    expect(() => model.variable("y", { type: "binary", upper: 2 })).toThrow(/^variable y: bounds are 0 and 2; binary/);
    expect(() => model.variable("y", { type: "whole" as "integer" })).toThrow(/^variable y: type is "whole"; allowed/);
    expect(() => model.constraint("c", { x: 1 }, "<" as "<=", 1)).toThrow(/^constraint c: the sense is "<"; allowed/);
    expect(() => model.minimize({}, { quadratic: [["x", "x", Infinity]] })).toThrow(/coefficient of x·x is Infinity/);
    expect(() => model.minimize({ x: 1 }, { offset: Number.NaN })).toThrow(/^the objective's offset is NaN/);
  });

  it("refuses bounds that cross, and what it does not know", () => {
    const model = new Model();
    expect(() => model.variable("x", { lower: 3, upper: 1 })).toThrow("variable x: lower is 3, which exceeds upper, 1");
    expect(() => model.variable("x", { max: 3 } as never)).toThrow(
      "variable x: there is no option max; allowed: type, lower, upper",
    );
    expect(() => model.variable(3 as never)).toThrow("the name of a variable is 3; a string is needed");
    expect(model.variableNames).toEqual([]);
  });

  it("is as before when a constraint was refused", () => {
    const model = new Model();
    model.variable("x");
    expect(() => model.constraint("c", { x: 1, y: 1 }, "<=", 1)).toThrow();
    model.constraint("c", { x: 2 }, "<=", 1);
    expect(model.rowNames).toEqual(["c"]);
    expect(model.toProblem().matrix?.values).toEqual(Float64Array.of(2));
  });

  it("holds many thousands of variables", () => {
    const model = new Model();
    const count = 20_000;
    const variables = Array.from({ length: count }, (_, i) => model.variable(`x${i}`));
    variables.forEach((variable, i) => {
      model.constraint(
        `c${i}`,
        [
          [variable, 1],
          [variables[(i + 1) % count]!, -1],
        ],
        "<=",
        i,
      );
    });
    const { matrix } = model.toProblem();
    expect(matrix?.values).toHaveLength(2 * count);
    expect(matrix?.offsets).toHaveLength(count + 1);
  });
});

describe("a model that is solved", () => {
  it("goes as a MIP as soon as a variable is not continuous", async () => {
    const asked: unknown[] = [];
    const client = {
      solveLp: async (...call: unknown[]) => asked.push("lp", ...call),
      solveMip: async (...call: unknown[]) => asked.push("mip", ...call),
    } as unknown as Parameters<Model["solve"]>[0];
    const model = new Model();
    model.variable("x");
    await model.solve(client, { settings: { timeLimit: 1 } });
    model.variable("y", { type: "semi-continuous" });
    await model.solve(client);
    expect(asked).toEqual(["lp", model, { settings: { timeLimit: 1 } }, "mip", model, {}]);
  });
});
