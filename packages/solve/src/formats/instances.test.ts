// Rules held by real instances: read as HiGHS reads them, with the sizes that are on record.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import highsLoader from "highs";
import { beforeAll, describe, expect, it } from "vitest";
import { modelStats, validateModel } from "../model/index.ts";
import type { Problem, SparseMatrix } from "../problem.ts";
import { parseMps, readMps } from "./mps.ts";

// The package's types describe its CommonJS form, where the loader is a property; the ES module's default is the loader.
const loadHighs = highsLoader as unknown as typeof highsLoader.default;

interface Instance {
  readonly name: string;
  readonly file: string;
  readonly kind: "lp" | "mip" | "qp";
  readonly rows: number;
  readonly cols: number;
  readonly nnz: number;
}

const root = new URL("../../../../", import.meta.url);
const committed = fileURLToPath(new URL("test/data/lp", root));
const shared = process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../shared/data", root));

const instancesIn = (folder: string): { folder: string; instance: Instance }[] => {
  const { instances } = JSON.parse(readFileSync(`${folder}/index.json`, "utf8")) as { instances: Instance[] };
  return instances.map((instance) => ({ folder, instance }));
};

const hasShared = existsSync(`${shared}/lp/index.json`);
const cases = hasShared ? instancesIn(`${shared}/lp`) : instancesIn(committed);
if (!hasShared) {
  console.log(`SORTIE_TEST_DATA leads to no data: only the ${cases.length} committed instances are read`);
}

/** HiGHS drops coefficients up to this size when it takes a model. */
const smallMatrixValue = 1e-9;

let highs: Awaited<ReturnType<typeof loadHighs>>;
beforeAll(async () => {
  highs = await loadHighs();
});

describe.each(cases.map(({ folder, instance }) => [instance.name, folder, instance] as const))(
  "%s",
  (_, folder, known) => {
    const compressed = readFileSync(`${folder}/${known.file}`);
    const { problem, isMip, warnings } = parseMps(compressed);

    it("has the recorded size and kind", () => {
      const matrix = withoutSmall(problem.matrix);
      expect([problem.rows, problem.columns, matrix.values.length]).toEqual([known.rows, known.cols, known.nnz]);
      expect(isMip).toBe(known.kind === "mip");
      expect(problem.quadratic !== undefined).toBe(known.kind === "qp");
      expect(warnings.filter((text) => text.includes("ENDATA") || text.includes("NAME"))).toEqual([]);
    });

    it("is read as HiGHS reads it", () => {
      using model = highs.createModel();
      model.options.set("output_flag", false);
      model.readModel({ format: "mps", data: gunzipSync(compressed) });
      const theirs = model.getModel("csr");
      expect(theirs.offset).toBe(problem.objectiveOffset);
      const ours = withoutSmall(problem.matrix);
      for (const [name, a, b] of [
        ["objective", problem.objective, theirs.colCost],
        ["variableLower", problem.variableLower, theirs.colLower],
        ["variableUpper", problem.variableUpper, theirs.colUpper],
        ["rowLower", problem.rowLower, theirs.rowLower],
        ["rowUpper", problem.rowUpper, theirs.rowUpper],
        ["offsets", ours.offsets, theirs.matrix.starts],
        ["indices", ours.indices, theirs.matrix.indices],
        ["values", ours.values, theirs.matrix.values],
        ["types", problem.variableTypes ?? new Int32Array(problem.columns), types(theirs.integrality, problem.columns)],
      ] as const) {
        expect(firstDifference(a, b), name).toBeUndefined();
      }
      expect(hessian(problem.quadratic)).toEqual(
        theirs.hessian === undefined ? new Map() : lowerHessian(theirs.hessian),
      );
    });

    it("passes the structural checks", () => {
      expect(validateModel(isMip ? "mip" : "lp", problem, modelStats(arraysOf(problem)))).toEqual([]);
    });
  },
);

it("an instance in chunks gives the same model as the whole file", async () => {
  const { folder, instance } = cases[0]!;
  const data = readFileSync(`${folder}/${instance.file}`);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += 100) yield data.subarray(at, at + 100);
  }
  expect(await readMps(chunks())).toEqual(parseMps(data));
});

const arraysOf = (problem: Problem) => ({
  aValues: problem.matrix.values,
  aIndices: problem.matrix.indices,
  aOffsets: problem.matrix.offsets,
  c: problem.objective,
  rowLower: problem.rowLower,
  rowUpper: problem.rowUpper,
  variableLower: problem.variableLower,
  variableUpper: problem.variableUpper,
  variableTypes: problem.variableTypes,
  qValues: problem.quadratic?.values,
  qIndices: problem.quadratic?.indices,
  qOffsets: problem.quadratic?.offsets,
});

function withoutSmall({ offsets, indices, values }: SparseMatrix): SparseMatrix {
  const kept = Array.from(values.keys()).filter((at) => Math.abs(values[at]!) > smallMatrixValue);
  const keptBefore = new Int32Array(values.length + 1);
  for (let at = 0; at < values.length; at++) {
    keptBefore[at + 1] = keptBefore[at]! + (Math.abs(values[at]!) > smallMatrixValue ? 1 : 0);
  }
  return {
    offsets: offsets.map((offset) => keptBefore[offset]!),
    indices: Int32Array.from(kept, (at) => indices[at]!),
    values: Float64Array.from(kept, (at) => values[at]!),
  };
}

const types = (integrality: Int32Array, columns: number): Int32Array =>
  integrality.length === 0 ? new Int32Array(columns) : integrality;

/** Index and both values; the two readers may differ in the last bit of a number. */
function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): string | undefined {
  if (a.length !== b.length) return `lengths ${a.length} and ${b.length}`;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    if (x !== y && !(Math.abs(x - y) <= 2 ** -52 * Math.abs(x))) return `[${i}] ${x} and ${y}`;
  }
  return undefined;
}

/** Q + Qᵀ, lower triangle, by "row,column". */
function hessian(q: SparseMatrix | undefined): Map<string, number> {
  const entries = new Map<string, number>();
  if (q === undefined) return entries;
  for (let i = 0; i + 1 < q.offsets.length; i++) {
    for (let at = q.offsets[i]!; at < q.offsets[i + 1]!; at++) {
      const j = q.indices[at]!;
      const key = `${Math.max(i, j)},${Math.min(i, j)}`;
      const value = q.values[at]! * (i === j ? 2 : 1);
      if (value !== 0) entries.set(key, (entries.get(key) ?? 0) + value);
    }
  }
  return new Map([...entries].sort(byKey));
}

function lowerHessian(h: { starts: Int32Array; indices: Int32Array; values: Float64Array }): Map<string, number> {
  const entries: [string, number][] = [];
  for (let j = 0; j + 1 < h.starts.length; j++) {
    for (let at = h.starts[j]!; at < h.starts[j + 1]!; at++) {
      if (h.values[at] !== 0) entries.push([`${h.indices[at]},${j}`, h.values[at]!]);
    }
  }
  return new Map(entries.sort(byKey));
}

const byKey = ([a]: [string, number], [b]: [string, number]): number => (a < b ? -1 : a > b ? 1 : 0);
