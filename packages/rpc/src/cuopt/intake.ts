// From what a client sent to a job: the checks at the door, the task, and the arrays to store.
import { createHash } from "node:crypto";
import { DomainError, type NewJob, type ReceivedArray, type Value } from "@sortie/core";
import {
  type ArrayName,
  type ArrayStats,
  arrayStats,
  assertFits,
  estimateMemory,
  type ModelScalars,
  mergeStats,
  modelSizes,
  numberOf,
  type ProblemKind,
  resolveSettings,
  type SolveSettings,
  type SolveTask,
  type StatsPart,
  settingsToJson,
  ValidationError,
  validateModel,
} from "@sortie/solve";
import {
  asBytes,
  classifySettings,
  type GenerationSigns,
  joinNames,
  type Submission,
  type WireProblem,
} from "@sortie/wire";
import { ARRAY_FIELDS, type ArrayField, elementsOf, fieldOfName, ROW_NAMES, VARIABLE_NAMES } from "./array-fields.ts";

type Stats = { [Name in ArrayName]?: ArrayStats };

/** One array as a unary request brought it. */
export interface BroughtArray {
  readonly name: string;
  readonly elementBytes: number;
  readonly bytes: Uint8Array;
}

export interface Facts extends ModelScalars {
  readonly kind: ProblemKind;
  readonly maximize: boolean;
  readonly problemName: string;
  readonly objectiveName: string;
  readonly trackIncumbents: boolean;
}

export interface Settings {
  readonly settings: SolveSettings;
  readonly notes: readonly string[];
}

/** A worker process holds this much beside the model itself. */
const WORKER_BYTES = 100e6;

/**
 * Reads the settings with the meaning that the client's generation gives to what is absent.
 * @throws UnsupportedGenerationError, ValidationError
 */
export function readSettings(kind: ProblemKind, bytes: Uint8Array | undefined, signs: GenerationSigns): Settings {
  const found = classifySettings(kind, bytes, signs);
  const notes = found.warmStart ? ["Setting warm_start_data has no effect here"] : [];
  return { settings: resolveSettings(kind, found.values, found.absentMeans), notes };
}

/** @throws DomainError with a text that says what is not supported */
export function refuseQuadraticConstraints(count: number): void {
  if (count === 0) return;
  throw new DomainError(
    "invalid-argument",
    `ValidationError: quadratic_constraints: ${count} found, none are supported here (LP, MIP and convex QP with linear constraints are)`,
  );
}

/** The job that these facts and array statistics make. @throws ValidationError with every fault of the model */
export function solveJob(
  facts: Facts,
  stats: Stats,
  { settings, notes }: Settings,
  idempotency: NewJob["idempotency"],
): NewJob {
  const faults = validateModel(facts.kind, facts, stats);
  if (faults.length > 0) throw new ValidationError(faults.join("; "));
  const sizes = modelSizes(stats);
  assertFits(facts.kind, sizes);
  const task: SolveTask = {
    kind: facts.kind,
    maximize: facts.maximize,
    objectiveScaling: facts.objectiveScaling ?? 1,
    objectiveOffset: facts.objectiveOffset,
    problemName: facts.problemName,
    objectiveName: facts.objectiveName,
    settings: settingsToJson(settings),
    trackIncumbents: facts.trackIncumbents && facts.kind === "mip",
    rows: sizes.rows,
    columns: sizes.columns,
    nonzeros: sizes.nonzeros,
    notes,
  };
  return {
    needs: {
      kind: facts.kind,
      memoryBytes: Math.ceil(WORKER_BYTES + estimateMemory(facts.kind, sizes).likelyBytes),
      elements: sizes.nonzeros + sizes.quadraticNonzeros,
      timeLimitSeconds: timeLimit(settings),
      // No engine here can use one.
      usesGpu: false,
    },
    work: task as unknown as { readonly [key: string]: Value },
    idempotency,
  };
}

/** A MIP without a limit has this many seconds, as the wire has it. */
const UNLIMITED_SECONDS = 1e9;

function timeLimit(settings: SolveSettings): number | undefined {
  const seconds = numberOf(settings, "time_limit");
  return seconds < UNLIMITED_SECONDS ? seconds : undefined;
}

/** What a unary request makes: the job, and the arrays to store. */
export function unaryJob(
  submission: Submission,
  idempotencyKey: string | undefined,
): { readonly job: NewJob; readonly arrays: readonly BroughtArray[] } {
  const { arm, problem, settings, enableIncumbents, generationSigns } = submission;
  if (arm === undefined) throw new DomainError("invalid-argument", "No problem data provided");
  if (arm === "vrp") {
    throw new DomainError(
      "invalid-argument",
      "No problem data provided: vehicle routing requests are not supported here",
    );
  }
  const read = readSettings(arm, settings, generationSigns);
  refuseQuadraticConstraints(problem?.quadraticConstraints ?? 0);
  const facts: Facts = {
    kind: arm,
    maximize: problem?.maximize ?? false,
    objectiveScaling: problem?.objectiveScalingFactor,
    objectiveOffset: problem?.objectiveOffset ?? 0,
    problemName: problem?.problemName ?? "",
    objectiveName: problem?.objectiveName ?? "",
    // Absent means on in a unary request.
    trackIncumbents: enableIncumbents ?? true,
  };
  const stats: Stats = {};
  const arrays = problem ? broughtArrays(problem, stats) : [];
  const idempotency =
    idempotencyKey === undefined ? undefined : { key: idempotencyKey, bodyDigest: digestOf(facts, settings, arrays) };
  return { job: solveJob(facts, stats, read, idempotency), arrays };
}

/** What a model in memory makes: the same checks as for one from the wire. @throws ValidationError */
export function modelJob(
  facts: Facts,
  model: Pick<WireProblem, "arrays" | "variableNames" | "rowNames">,
  settings: Settings,
  idempotency: NewJob["idempotency"],
): { readonly job: NewJob; readonly arrays: readonly BroughtArray[] } {
  const stats: Stats = {};
  const arrays = broughtArrays(model, stats);
  return { job: solveJob(facts, stats, settings, idempotency), arrays };
}

function broughtArrays(
  problem: Pick<WireProblem, "arrays" | "variableNames" | "rowNames">,
  stats: Stats,
): BroughtArray[] {
  const arrays: BroughtArray[] = [];
  for (const { id, wireName, element, elementBytes, modelName } of ARRAY_FIELDS) {
    const array = problem.arrays.get(id);
    if (!modelName || !array || array.length === 0) continue;
    const bytes = asBytes(array);
    stats[modelName] = arrayStats(elementsOf(element, bytes));
    arrays.push({ name: wireName, elementBytes, bytes });
  }
  for (const [field, list] of [
    [VARIABLE_NAMES, problem.variableNames],
    [ROW_NAMES, problem.rowNames],
  ] as const) {
    if (list.length > 0) arrays.push({ name: field.wireName, elementBytes: 1, bytes: joinNames(list) });
  }
  // Eight-byte elements first, so that every array lies aligned in the one blob they share.
  return arrays.sort((a, b) => b.elementBytes - a.elementBytes);
}

function digestOf(facts: Facts, settings: Uint8Array | undefined, arrays: readonly BroughtArray[]): string {
  const hash = createHash("sha256").update(JSON.stringify(facts));
  hash.update(settings ?? new Uint8Array());
  for (const { name, bytes } of arrays) hash.update(`${name} ${bytes.byteLength}\n`).update(bytes);
  return hash.digest("hex");
}

/** Bytes that lie aligned for their elements are looked at where they lie, others piece by piece. */
const PIECE_BYTES = 256 * 1024;

/** The statistics of raw elements. Copies a piece at a time at most: a chunk must not cost its size once more. */
function statsOfBytes({ element, elementBytes }: ArrayField, data: Uint8Array): ArrayStats {
  if (data.byteOffset % elementBytes === 0) return arrayStats(elementsOf(element, data));
  const parts: StatsPart[] = [];
  const piece = new Uint8Array(Math.min(PIECE_BYTES, data.byteLength));
  for (let from = 0; from < data.byteLength; from += PIECE_BYTES) {
    const bytes = data.subarray(from, from + PIECE_BYTES);
    piece.set(bytes);
    const stats = arrayStats(elementsOf(element, piece.subarray(0, bytes.byteLength)));
    parts.push({ elementOffset: from / elementBytes, stats });
  }
  return mergeStats(parts);
}

/** What the receipt of a chunk keeps of its data. */
export function inspectChunk(wireName: string): (data: Uint8Array) => Value {
  const field = fieldOfName.get(wireName);
  if (!field?.modelName) return () => null;
  return (data) => statsOfBytes(field, data) as unknown as Value;
}

/**
 * The statistics of whole arrays from the receipts of their chunks. Nobody has looked into what came by links: such an array
 * counts as sound as far as it can be, so that only its size is judged, and the worker judges the rest.
 */
export function foldReceipts(arrays: readonly ReceivedArray[]): Stats {
  const stats: Stats = {};
  const elementsOfArray = new Map(arrays.map(({ name, elements }) => [fieldOfName.get(name)?.modelName, elements]));
  for (const { name, elements, chunks } of arrays) {
    const modelName = fieldOfName.get(name)?.modelName;
    if (!modelName) continue;
    if (chunks.some((chunk) => chunk.stats === undefined)) {
      const entries = ({ aOffsets: "aValues", qOffsets: "qValues" } as const)[modelName as "aOffsets" | "qOffsets"];
      const last = entries === undefined ? 0 : (elementsOfArray.get(entries) ?? 0);
      stats[modelName] = { count: elements, nan: 0, ascending: true, first: 0, last };
      continue;
    }
    stats[modelName] = mergeStats(
      chunks.map(({ elementOffset, stats: part }) => ({ elementOffset, stats: part as ArrayStats })),
    );
  }
  return stats;
}

/** Identifies the content of an upload, for a repeat under the same idempotency key. */
export function uploadDigest(header: unknown, arrays: readonly ReceivedArray[]): string {
  const hash = createHash("sha256").update(JSON.stringify(header));
  for (const { name, chunks } of [...arrays].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const { elementOffset, blob } of chunks) {
      // What nobody has seen is the same only where it is the same blob.
      hash.update(`${name} ${elementOffset} ${blob.unverified ? blob.key : blob.digests.join()}\n`);
    }
  }
  return hash.digest("hex");
}
