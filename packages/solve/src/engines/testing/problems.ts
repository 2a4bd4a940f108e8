// Small problems and real instances for tests of engines.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseMps } from "../../formats/mps.ts";
import type { Problem, SparseMatrix } from "../../problem.ts";

/** Compressed rows of a dense matrix. */
export function sparse(rows: readonly (readonly number[])[]): SparseMatrix {
  const offsets = [0];
  const indices: number[] = [];
  const values: number[] = [];
  for (const row of rows) {
    row.forEach((value, column) => {
      if (value === 0) return;
      indices.push(column);
      values.push(value);
    });
    offsets.push(indices.length);
  }
  return {
    offsets: Int32Array.from(offsets),
    indices: Int32Array.from(indices),
    values: Float64Array.from(values),
  };
}

export interface DenseProblem {
  readonly objective: readonly number[];
  readonly rows?: readonly (readonly number[])[];
  readonly rowLower?: readonly number[];
  readonly rowUpper?: readonly number[];
  /** Default 0. */
  readonly lower?: readonly number[];
  /** Default Infinity. */
  readonly upper?: readonly number[];
  readonly types?: readonly number[];
  readonly quadratic?: readonly (readonly number[])[];
  readonly maximize?: boolean;
  readonly scaling?: number;
  readonly offset?: number;
  readonly start?: readonly number[];
  readonly names?: readonly string[];
}

export function problem(dense: DenseProblem): Problem {
  const columns = dense.objective.length;
  const rows = dense.rows ?? [];
  const filled = (values: readonly number[] | undefined, length: number, value: number) =>
    values === undefined ? new Float64Array(length).fill(value) : Float64Array.from(values);
  return {
    name: "",
    objectiveName: "",
    maximize: dense.maximize ?? false,
    objectiveScaling: dense.scaling ?? 1,
    objectiveOffset: dense.offset ?? 0,
    rows: rows.length,
    columns,
    matrix: sparse(rows),
    objective: Float64Array.from(dense.objective),
    rowLower: filled(dense.rowLower, rows.length, -Infinity),
    rowUpper: filled(dense.rowUpper, rows.length, Infinity),
    variableLower: filled(dense.lower, columns, 0),
    variableUpper: filled(dense.upper, columns, Infinity),
    ...(dense.types === undefined ? {} : { variableTypes: Int32Array.from(dense.types) }),
    ...(dense.quadratic === undefined ? {} : { quadratic: sparse(dense.quadratic) }),
    ...(dense.start === undefined ? {} : { initialPrimal: Float64Array.from(dense.start) }),
    ...(dense.names === undefined ? {} : { variableNames: dense.names }),
  };
}

export interface Instance {
  readonly name: string;
  readonly file: string;
  readonly kind: "lp" | "mip" | "qp";
  readonly status: "optimal" | "infeasible" | "unbounded";
  readonly objective: number | null;
  readonly verified?: Readonly<Record<string, { readonly objective?: number | null }>>;
}

const root = new URL("../../../../../", import.meta.url);
const committed = fileURLToPath(new URL("test/data/lp", root));
const larger = `${process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../shared/data", root))}/lp`;

/** Whether the larger test data are there; the committed ones always are. */
export const hasLargerData = existsSync(`${larger}/index.json`);

const folder = hasLargerData ? larger : committed;

export const instances: readonly Instance[] = (
  JSON.parse(readFileSync(`${folder}/index.json`, "utf8")) as { instances: Instance[] }
).instances;

/** A fresh copy each time: engines take the arrays away. */
export function readInstance(name: string): Problem {
  return parseMps(readFileSync(`${folder}/${name}.mps.gz`)).problem;
}
