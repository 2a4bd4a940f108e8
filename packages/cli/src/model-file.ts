// A model file on its way to the wire.
import { createReadStream } from "node:fs";
import type { ProblemMessage } from "@sortie/client";
import {
  type ArrayName,
  FormatError,
  modelArrays,
  type Problem,
  problemArrays,
  readModel,
  ValidationError,
  VariableType,
} from "@sortie/solve";
import { ArrayFieldId, type NumberArray } from "@sortie/wire";
import { UsageError } from "./connect.ts";

export interface LoadedModel {
  readonly problem: Problem;
  readonly isMip: boolean;
  readonly warnings: readonly string[];
}

/**
 * Reads a model file: MPS, or CPLEX LP format if it is called so; plain, gzip or bzip2.
 * @throws FormatError naming line and column; the file system's error if the file cannot be read
 */
export async function loadModel(file: string, signal: AbortSignal): Promise<LoadedModel> {
  return readModel(createReadStream(file, { highWaterMark: 1024 * 1024 }), file, { signal });
}

/**
 * The same, with every fault in one line.
 * @throws UsageError
 */
export async function openModel(file: string, signal: AbortSignal): Promise<LoadedModel> {
  try {
    return await loadModel(file, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof FormatError || error instanceof ValidationError) {
      throw new UsageError(`${file}: ${error.message}`);
    }
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new UsageError(`${file}: there is no such file`);
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/** "LP, 27 rows, 32 columns, 83 nonzeros" */
export function describeModel({ problem, isMip }: LoadedModel): string {
  const kind = isMip ? "MIP" : problem.quadratic ? "QP" : "LP";
  const integers = problem.variableTypes?.reduce((sum, type) => sum + (type === VariableType.continuous ? 0 : 1), 0);
  const which = integers ? ` (${integers} integer)` : "";
  return `${kind}, ${problem.rows} rows, ${problem.columns} columns${which}, ${problem.matrix.values.length} nonzeros`;
}

/** The message that submits a problem. The arrays are the problem's own. */
export function problemMessage(
  problem: Problem,
  kind: "lp" | "mip",
  settings: Readonly<Record<string, number | boolean>>,
): ProblemMessage {
  const arrays = new Map<ArrayFieldId, NumberArray | Uint8Array>();
  const sources = problemArrays(problem, kind);
  // Ids follow the order of the model's arrays, after the two blobs of names.
  for (const [index, name] of Object.keys(modelArrays).entries()) {
    const array = sources[name as ArrayName];
    if (array) arrays.set((index + ArrayFieldId.FIELD_A_VALUES) as ArrayFieldId, array);
  }
  return {
    kind,
    maximize: problem.maximize,
    objectiveScalingFactor: problem.objectiveScaling,
    objectiveOffset: problem.objectiveOffset,
    problemName: problem.name,
    objectiveName: problem.objectiveName,
    variableNames: problem.variableNames ?? [],
    rowNames: problem.rowNames ?? [],
    arrays,
    settings,
    enableIncumbents: kind === "mip",
  };
}
