// Property tests: whatever is built by name, the arrays say the same as the formulas; and settings come through unchanged.
import { classifySettings, encodeSettings, settingFields as wireFields } from "@sortie/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Model } from "./model.ts";
import { type LinearProblem, problemMessage, type SparseRows } from "./problem.ts";
import { type SettingField, settingFields, settingValues } from "./settings.ts";

/** Small whole numbers: sums of their products are exact. */
const coefficient = fc.integer({ min: -9, max: 9 });
const VARIABLES = 6;
const index = fc.nat({ max: VARIABLES - 1 });
const linear = fc.array(fc.tuple(index, coefficient), { maxLength: 12 });
const quadratic = fc.array(fc.tuple(index, index, coefficient), { maxLength: 12 });
const point = fc.array(coefficient, { minLength: VARIABLES, maxLength: VARIABLES });

const nameOf = (i: number): string => `x${i}`;
const evaluate = (terms: readonly (readonly [number, number])[], x: readonly number[]): number =>
  terms.reduce((sum, [i, value]) => sum + value * x[i]!, 0);

/** The entries of a row, as index and value. */
function rowOf({ offsets, indices, values }: SparseRows, row: number): [number, number][] {
  const entries: [number, number][] = [];
  for (let at = offsets[row]!; at < offsets[row + 1]!; at++) entries.push([indices[at]!, values[at]!]);
  return entries;
}

describe("a model of any terms", () => {
  it("has rows and an objective whose values are those of the formulas", () => {
    fc.assert(
      fc.property(fc.array(linear, { maxLength: 5 }), linear, quadratic, point, (rows, objective, products, x) => {
        const model = new Model();
        const variables = Array.from({ length: VARIABLES }, (_, i) => model.variable(nameOf(i)));
        rows.forEach((terms, row) => {
          // By handle and by name in turn.
          model.constraint(
            `c${row}`,
            terms.map(([i, value], at) => [at % 2 === 0 ? variables[i]! : nameOf(i), value] as const),
            "<=",
            row,
          );
        });
        model.minimize(
          objective.map(([i, value]) => [nameOf(i), value] as const),
          { quadratic: products.map(([i, j, value]) => [nameOf(i), variables[j]!, value] as const) },
        );
        const problem = model.toProblem();
        rows.forEach((terms, row) => {
          const entries = rowOf(problem.matrix as SparseRows, row);
          expect(new Set(entries.map(([i]) => i)).size).toBe(entries.length);
          expect(evaluate(entries, x)).toBe(evaluate(terms, x));
        });
        const square = problem.quadratic;
        const curved = x.reduce(
          (sum, value, i) => sum + (square ? value * evaluate(rowOf(square, i), x) : 0),
          evaluate([...(problem.objective as Float64Array).entries()], x),
        );
        const wanted = products.reduce((sum, [i, j, value]) => sum + value * x[i]! * x[j]!, evaluate(objective, x));
        expect(curved).toBe(wanted);
        // What a model becomes is always fit to be sent.
        expect(() => problemMessage(problem satisfies LinearProblem, { kind: "lp" })).not.toThrow();
      }),
    );
  });
});

function anyValue({ type, range, words }: SettingField): fc.Arbitrary<unknown> {
  if (type === "bool") return fc.boolean();
  const [least, most] = range ?? [-1e9, 1e9];
  const number =
    type === "int" ? fc.integer({ min: least, max: most }) : fc.double({ min: least, max: most, noNaN: true });
  return words === undefined ? number : fc.oneof(number, fc.constantFrom(...Object.keys(words)));
}

describe.each(["lp", "mip"] as const)("any %s settings in range", (kind) => {
  it("come through as they were given, the others with their defaults", () => {
    const fields = settingFields(kind);
    const standard = classifySettings(kind, encodeSettings(kind)).values;
    const some = fc.record(Object.fromEntries(fields.map((field) => [field.property, anyValue(field)])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(some, (settings) => {
        const given = settingValues(kind, settings);
        const { values } = classifySettings(kind, encodeSettings(kind, given));
        for (const { name, number } of wireFields(kind)) {
          expect(values.get(number), name).toBe(given[name] ?? standard.get(number));
        }
      }),
    );
  });
});
