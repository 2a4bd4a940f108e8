// A model file of any format: which one it is follows from its name, or else from its first bytes.
import type { Problem } from "../problem.ts";
import { readLp } from "./lp.ts";
import { lpText } from "./lp-write.ts";
import type { ModelResult } from "./model-result.ts";
import { readMps } from "./mps.ts";
import { type MpsWriteOptions, mpsText } from "./mps-write.ts";
import type { ModelText } from "./written.ts";

export type ModelFormat = "mps" | "lp";

/** The endings of model files that are read, and what they stand for. */
const endings: { readonly [ending: string]: ModelFormat } = { mps: "mps", qps: "mps", lp: "lp" };

/** "model.lp.gz" → "lp"; undefined where the name does not tell. */
export function modelFormatOf(fileName: string): ModelFormat | undefined {
  const ending = /\.([a-z]+)(?:\.(?:gz|bz2))?$/i.exec(fileName)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(endings, ending) ? endings[ending] : undefined;
}

/**
 * Reads a model file: MPS, or CPLEX's LP format; plain or compressed with gzip or bzip2, which its bytes tell.
 * @param fileName tells the format by its ending; any other name means MPS
 * @throws FormatError (MpsError, LpError) with line and column; what the source throws; the signal's reason
 */
export function readModel(
  source: AsyncIterable<Uint8Array>,
  fileName: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ModelResult> {
  return modelFormatOf(fileName) === "lp" ? readLp(source, options) : readMps(source, options);
}

/**
 * The model as a file of this format.
 * @throws ValidationError for what the format cannot say
 */
export function modelText(problem: Problem, format: ModelFormat, options: MpsWriteOptions = {}): ModelText {
  return format === "lp" ? lpText(problem) : mpsText(problem, options);
}

const pieceLength = 1 << 16;

/** Lines as pieces of some size: a stream of single lines would be slow. */
export function* textPieces(lines: Iterable<string>): Generator<Uint8Array> {
  let piece: string[] = [];
  let length = 0;
  for (const line of lines) {
    piece.push(line);
    length += line.length;
    if (length < pieceLength) continue;
    yield Buffer.from(piece.join(""));
    piece = [];
    length = 0;
  }
  if (length > 0) yield Buffer.from(piece.join(""));
}
