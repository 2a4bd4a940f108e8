// A large MPS file on disk, and its reading in a process of its own that tells its peak memory.
//
// As a program: `large-mps.ts FILE` reads the file and prints one line of JSON.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Problem, readModel } from "@sortie/solve";

export interface ReadFigures {
  readonly fileBytes: number;
  readonly nonzeros: number;
  readonly seconds: number;
  /** Growth of the largest resident set by reading. */
  readonly peakBytes: number;
  /** The same, once the names were asked for. */
  readonly namedPeakBytes: number;
  /** Of the model's typed arrays. */
  readonly arrayBytes: number;
  /** Of its names, as strings: their characters and 24 bytes for each string and reference. */
  readonly nameBytes: number;
}

/** Columns of ten entries with seven digits, as solvers' own writers have them. */
export async function writeLargeMps(file: string, bytes: number): Promise<void> {
  const out = createWriteStream(file);
  const write = async (text: string) => {
    if (!out.write(text)) await once(out, "drain");
  };
  const perColumn = 10;
  const columns = Math.max(1, Math.floor(bytes / (perColumn * 32)));
  const rows = Math.max(perColumn, Math.floor(columns / 2));
  await write("NAME large\nROWS\n N COST\n");
  let piece = "";
  const add = async (line: string) => {
    piece += line;
    if (piece.length < 1 << 16) return;
    await write(piece);
    piece = "";
  };
  for (let i = 0; i < rows; i++) await add(` L R${i}\n`);
  await add("COLUMNS\n");
  let state = 1;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
  for (let j = 0; j < columns; j++) {
    const name = `C${j}`;
    await add(`    ${name}  COST  ${random(1000)}\n`);
    const first = random(rows);
    for (let k = 0; k < perColumn; k++) {
      await add(`    ${name}  R${(first + k * 7919) % rows}  ${(1 + random(9_999_999)) / 1e4}\n`);
    }
  }
  await add("RHS\n");
  for (let i = 0; i < rows; i++) await add(`    RHS  R${i}  ${random(1000)}\n`);
  await add("BOUNDS\nENDATA\n");
  await write(piece);
  out.end();
  await once(out, "close");
}

export async function readInChild(file: string): Promise<ReadFigures> {
  const flags = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, fileURLToPath(import.meta.url), file]);
  return JSON.parse(stdout);
}

function sizes(problem: Problem): Pick<ReadFigures, "arrayBytes" | "nameBytes" | "nonzeros"> {
  const { matrix } = problem;
  const arrays = [
    ...[matrix.offsets, matrix.indices, matrix.values, problem.objective, problem.rowLower, problem.rowUpper],
    ...[problem.variableLower, problem.variableUpper],
  ];
  const names = [...(problem.variableNames ?? []), ...(problem.rowNames ?? [])];
  return {
    arrayBytes: arrays.reduce((sum, array) => sum + array.byteLength, 0),
    nameBytes: names.reduce((sum, name) => sum + name.length + 24, 0),
    nonzeros: matrix.values.length,
  };
}

async function main(file: string): Promise<void> {
  let fileBytes = 0;
  async function* chunks() {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      fileBytes += chunk.length;
      yield chunk as Uint8Array;
    }
  }
  const peak = () => process.resourceUsage().maxRSS * 1024;
  const before = peak();
  const started = performance.now();
  const { problem } = await readModel(chunks(), file);
  const seconds = (performance.now() - started) / 1000;
  const peakBytes = peak() - before;
  const found = sizes(problem);
  const namedPeakBytes = peak() - before;
  process.stdout.write(`${JSON.stringify({ fileBytes, seconds, peakBytes, namedPeakBytes, ...found })}\n`);
}

const [program, file] = process.argv.slice(1);
if (program === fileURLToPath(import.meta.url) && file !== undefined) await main(file);
