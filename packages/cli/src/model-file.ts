// A model file on its way to the wire.
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { gunzipSync } from "node:zlib";
import type { ProblemMessage, TransferProgress } from "@sortie/client";
import {
  type ArrayName,
  FormatError,
  type ModelFormat,
  modelArrays,
  type Problem,
  problemArrays,
  readModel,
  readSol,
  SolError,
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

/** Stands for standard input where a file is named. */
export const STDIN = "-";

/** The file as people are told of it. */
export const fileLabel = (file: string): string => (file === STDIN ? "standard input" : basename(file));

/** Told how much of a file has been read; not of standard input, whose end nobody knows. */
export type OnRead = (progress: TransferProgress) => void;

/**
 * Reads a model file: MPS, or CPLEX LP format if it is called so; plain, gzip or bzip2. "-" is standard input.
 * @param format instead of the one that the name tells
 * @throws FormatError naming line and column; the file system's error if the file cannot be read
 */
export async function loadModel(
  file: string,
  signal: AbortSignal,
  format?: ModelFormat,
  onRead?: OnRead,
): Promise<LoadedModel> {
  const source = file === STDIN ? process.stdin : piecesOf(file, onRead);
  return readModel(source, format === undefined ? file : `model.${format}`, { signal });
}

async function* piecesOf(file: string, onRead?: OnRead): AsyncGenerator<Uint8Array> {
  const totalBytes = onRead && (await stat(file)).size;
  let doneBytes = 0;
  for await (const piece of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    doneBytes += (piece as Uint8Array).length;
    if (totalBytes !== undefined) onRead?.({ doneBytes, totalBytes });
    yield piece as Uint8Array;
  }
}

/**
 * The same, with every fault in one line.
 * @throws UsageError
 */
export async function openModel(
  file: string,
  signal: AbortSignal,
  format?: ModelFormat,
  onRead?: OnRead,
): Promise<LoadedModel> {
  try {
    return await loadModel(file, signal, format, onRead);
  } catch (error) {
    if (signal.aborted) throw error;
    const label = file === STDIN ? fileLabel(file) : file;
    if (error instanceof FormatError || error instanceof ValidationError) {
      throw new UsageError(`${label}: ${error.message}`);
    }
    throw unreadable(label, error);
  }
}

function unreadable(label: string, error: unknown): UsageError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return new UsageError(`${label}: there is no such file`);
  if (code === "EISDIR") return new UsageError(`${label} cannot be read: it is a folder`);
  if (code === "EACCES") return new UsageError(`${label} cannot be read: its permissions do not allow it`);
  return new UsageError(`${label} cannot be read: ${(error as Error).message}`);
}

/**
 * The problem with the values of a solution file (.sol, plain or gzip) as the point where its search starts.
 * @throws UsageError naming file and line
 */
export async function withStart(problem: Problem, file: string): Promise<Problem> {
  const names = problem.variableNames ?? Array.from({ length: problem.columns }, (_, column) => `x${column}`);
  try {
    const bytes = await readFile(file);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const { values } = readSol((isGzip ? gunzipSync(bytes) : bytes).toString("utf8"), names);
    if (values === undefined)
      throw new UsageError(`${file}: the solution is infeasible; it has no values to start from`);
    return { ...problem, initialPrimal: values };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error instanceof SolError) throw new UsageError(`${file}: ${error.message}`);
    throw unreadable(file, error);
  }
}

/** What the model is, not what it is solved as. The server has no answer to a "miqp". */
export function kindOfModel({ problem, isMip }: Pick<LoadedModel, "problem" | "isMip">): "lp" | "qp" | "mip" | "miqp" {
  if (problem.quadratic) return isMip ? "miqp" : "qp";
  return isMip ? "mip" : "lp";
}

/** "MIP, 27 rows, 32 columns (10 integer, 2 semi-continuous), 83 nonzeros" */
export function describeModel(model: LoadedModel): string {
  const { problem } = model;
  const discrete = [
    [countOf(problem, VariableType.integer), "integer"],
    [countOf(problem, VariableType.semiContinuous), "semi-continuous"],
  ] as const;
  const which = discrete.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  const columns = `${problem.columns} columns${which.length > 0 ? ` (${which.join(", ")})` : ""}`;
  const kind = kindOfModel(model).toUpperCase();
  return `${kind}, ${problem.rows} rows, ${columns}, ${problem.matrix.values.length} nonzeros`;
}

/** Variables of a type. */
export const countOf = ({ variableTypes }: Problem, wanted: number): number =>
  variableTypes?.reduce((sum, type) => sum + (type === wanted ? 1 : 0), 0) ?? 0;

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
