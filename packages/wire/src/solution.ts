// A result on its way out (and, for clients, in): ResultResponse, ChunkedResultHeader and IncumbentResponse ↔ typed arrays.
//
// Scalars travel as the encoded solution message without its arrays. They are moved as bytes, so a NaN keeps its payload and
// a zero its sign.
import { MessageBuilder } from "./builder.ts";
import { type EncodedMessage, type FieldScanner, forEachField, type Segments, WIRE_LEN } from "./fields.ts";
import type { ResponseStatus } from "./gen/cuopt/remote/common_pb.js";
import { ProblemCategory } from "./gen/cuopt/remote/common_pb.js";
import {
  type ChunkedResultHeader,
  ChunkedResultHeaderSchema,
  type LPSolution,
  LPSolutionSchema,
  type MIPSolution,
  MIPSolutionSchema,
  ResultFieldId,
} from "./gen/cuopt/remote/solution_pb.js";
import type { SettingsKind } from "./generation.ts";
import { type ArrayField, asBytes, decodeArrays } from "./packed.ts";
import { decodeScalars } from "./schema.ts";

/** A solution with its arrays beside its scalars. */
export interface EncodedSolution {
  readonly kind: SettingsKind;
  /** LPSolution (its warm-start scalars nested in field 4) or MIPSolution, encoded without arrays. */
  readonly message: Uint8Array;
  /** LP: 0 to 11; MIP: 12. Empty arrays count as absent. */
  readonly arrays: ReadonlyMap<ResultFieldId, Float64Array>;
}

/** A decoded solution: also its scalars as a typed message. */
export type DecodedSolution = EncodedSolution &
  ({ readonly kind: "lp"; readonly scalars: LPSolution } | { readonly kind: "mip"; readonly scalars: MIPSolution });

/** A decoded ResultResponse. */
export interface DecodedResult {
  readonly status: ResponseStatus;
  readonly errorMessage: string;
  /** Undefined if the response carries no linear or mixed-integer solution. */
  readonly solution: DecodedSolution | undefined;
}

/** One improving feasible solution. */
export interface IncumbentEntry {
  readonly jobId: string;
  /** Position in the order found, from 0. */
  readonly index: number;
  /** In the user's sense, with scaling and offset. */
  readonly objective: number;
  /** A value for every variable of the user's model. */
  readonly assignment: Float64Array;
}

/** A decoded IncumbentResponse. */
export interface DecodedIncumbents {
  readonly incumbents: readonly IncumbentEntry[];
  readonly nextIndex: number;
  readonly jobComplete: boolean;
}

type ResultField = ArrayField & { readonly id: ResultFieldId };
const double = (number: number, name: string, id: ResultFieldId): ResultField => ({ number, name, kind: "double", id });

const LP_FIELDS = [
  double(1, "primal_solution", ResultFieldId.RESULT_PRIMAL_SOLUTION),
  double(2, "dual_solution", ResultFieldId.RESULT_DUAL_SOLUTION),
  double(3, "reduced_cost", ResultFieldId.RESULT_REDUCED_COST),
];
const MIP_FIELDS = [double(1, "mip_solution", ResultFieldId.RESULT_MIP_SOLUTION)];
const WARM_START_FIELDS = [
  double(1, "current_primal_solution", ResultFieldId.RESULT_WS_CURRENT_PRIMAL),
  double(2, "current_dual_solution", ResultFieldId.RESULT_WS_CURRENT_DUAL),
  double(3, "initial_primal_average", ResultFieldId.RESULT_WS_INITIAL_PRIMAL_AVG),
  double(4, "initial_dual_average", ResultFieldId.RESULT_WS_INITIAL_DUAL_AVG),
  double(5, "current_ATY", ResultFieldId.RESULT_WS_CURRENT_ATY),
  double(6, "sum_primal_solutions", ResultFieldId.RESULT_WS_SUM_PRIMAL),
  double(7, "sum_dual_solutions", ResultFieldId.RESULT_WS_SUM_DUAL),
  double(8, "last_restart_duality_gap_primal_solution", ResultFieldId.RESULT_WS_LAST_RESTART_GAP_PRIMAL),
  double(9, "last_restart_duality_gap_dual_solution", ResultFieldId.RESULT_WS_LAST_RESTART_GAP_DUAL),
];
const WARM_START = 4;
const FIRST_SCALAR = 1000;
const RESPONSE_ARM = { lp: 10, mip: 11 } as const;
const ASSIGNMENT: ArrayField = { number: 3, name: "assignment", kind: "double" };

/** Bytes of all result arrays, 8 a number, as `result_size_bytes` counts them. */
export function resultSizeBytes(arrays: EncodedSolution["arrays"]): number {
  let bytes = 0;
  for (const array of arrays.values()) bytes += array.byteLength;
  return bytes;
}

/**
 * Encodes a successful ResultResponse; every array is copied once.
 * @throws RangeError above 2 GiB
 */
export function encodeResultResponse(solution: EncodedSolution): Uint8Array {
  const message = new MessageBuilder();
  const { scalars, warmStart } = splitSolution(solution);
  addArrays(message, solution.kind === "lp" ? LP_FIELDS : MIP_FIELDS, solution.arrays);
  if (solution.kind === "lp") {
    const warmStartMessage = new MessageBuilder();
    addArrays(warmStartMessage, WARM_START_FIELDS, solution.arrays);
    for (const part of warmStart) warmStartMessage.raw(part);
    if (warmStartMessage.length > 0) message.message(WARM_START, warmStartMessage);
  }
  for (const part of scalars) message.raw(part);
  return new MessageBuilder().message(RESPONSE_ARM[solution.kind], message).finish();
}

/** Encodes a ResultResponse without a solution: what went wrong instead. */
export function encodeFailureResponse(status: ResponseStatus, errorMessage: string): Uint8Array {
  const response = new MessageBuilder();
  if (status !== 0) response.varint(1, status);
  if (errorMessage !== "") response.string(2, errorMessage);
  return response.finish();
}

/** Encodes the ChunkedResultHeader of a solution: its scalars bit by bit, and a line for every array that is not empty. */
export function encodeChunkedResultHeader(solution: EncodedSolution): Uint8Array {
  const header = new MessageBuilder();
  const { scalars, warmStart } = splitSolution(solution);
  if (solution.kind === "mip") header.varint(1, ProblemCategory.MIP);
  for (const [id, array] of [...solution.arrays].sort(([a], [b]) => a - b)) {
    if (array.length === 0) continue;
    const descriptor = new MessageBuilder();
    if (id !== 0) descriptor.varint(1, id);
    header.message(50, descriptor.varint(2, array.length).varint(3, array.BYTES_PER_ELEMENT));
  }
  // The header repeats the numbers of the solution's scalars and of the warm start's.
  for (const part of scalars) header.raw(part);
  for (const part of warmStart) header.raw(part);
  return header.finish();
}

/** The ChunkedResultHeader of a solution as a typed message. */
export function chunkedResultHeader(solution: EncodedSolution): ChunkedResultHeader {
  return decodeScalars(ChunkedResultHeaderSchema, encodeChunkedResultHeader(solution), "ChunkedResultHeader");
}

/**
 * Decodes a ResultResponse. The arrays may be views into it.
 * @throws WireFormatError for malformed bytes
 */
export function decodeResultResponse(response: EncodedMessage): DecodedResult {
  let status = 0;
  let errorMessage = "";
  let arm = 0;
  let segments: Uint8Array[] = [];
  forEachField(response, "ResultResponse", (field) => {
    if (field.number === 1) status = field.int32("status");
    else if (field.number === 2) errorMessage = field.string("error_message");
    else if (field.number >= 10 && field.number <= 12) {
      field.expect(WIRE_LEN, "solution");
      if (arm !== field.number) segments = [];
      arm = field.number;
      segments.push(field.view());
    }
  });
  let solution: DecodedSolution | undefined;
  if (arm === RESPONSE_ARM.lp) solution = decodeLpSolution(segments, "ResultResponse.lp_solution");
  if (arm === RESPONSE_ARM.mip) solution = decodeMipSolution(segments, "ResultResponse.mip_solution");
  return { status, errorMessage, solution };
}

/** Encodes an IncumbentResponse; every assignment is copied once. */
export function encodeIncumbentResponse(
  entries: readonly IncumbentEntry[],
  nextIndex: number,
  jobComplete: boolean,
): Uint8Array {
  const response = new MessageBuilder();
  for (const entry of entries) {
    const incumbent = new MessageBuilder();
    if (entry.index !== 0) incumbent.varint(1, entry.index);
    if (!Object.is(entry.objective, 0)) incumbent.double(2, entry.objective);
    if (entry.assignment.length > 0) incumbent.bytes(ASSIGNMENT.number, asBytes(entry.assignment));
    if (entry.jobId !== "") incumbent.string(4, entry.jobId);
    response.message(1, incumbent);
  }
  if (nextIndex !== 0) response.varint(2, nextIndex);
  if (jobComplete) response.varint(3, true);
  return response.finish();
}

/**
 * Decodes an IncumbentResponse. The assignments may be views into it.
 * @throws WireFormatError for malformed bytes
 */
export function decodeIncumbentResponse(response: EncodedMessage): DecodedIncumbents {
  const incumbents: IncumbentEntry[] = [];
  let nextIndex = 0;
  let jobComplete = false;
  forEachField(response, "IncumbentResponse", (field) => {
    if (field.number === 1) {
      field.expect(WIRE_LEN, "incumbents");
      incumbents.push(decodeIncumbent(field.view(), `IncumbentResponse.incumbents[${incumbents.length}]`));
    } else if (field.number === 2) nextIndex = Number(field.int64("next_index"));
    else if (field.number === 3) jobComplete = field.bool("job_complete");
  });
  return { incumbents, nextIndex, jobComplete };
}

function decodeIncumbent(bytes: Uint8Array, path: string): IncumbentEntry {
  let index = 0;
  let objective = 0;
  let jobId = "";
  const arrays = decodeArrays([bytes], path, [ASSIGNMENT], (field) => {
    if (field.number === 1) index = Number(field.int64("index"));
    else if (field.number === 2) objective = field.double("objective");
    else if (field.number === 4) jobId = field.string("job_id");
  });
  const assignment = arrays.get(ASSIGNMENT.number);
  return { jobId, index, objective, assignment: assignment instanceof Float64Array ? assignment : new Float64Array(0) };
}

/** The encoded scalars of a solution, field by field, and those of its warm start. */
function splitSolution({ kind, message }: EncodedSolution): { scalars: Uint8Array[]; warmStart: Uint8Array[] } {
  const scalars: Uint8Array[] = [];
  const warmStart: Uint8Array[] = [];
  forEachField(message, kind === "lp" ? "LPSolution" : "MIPSolution", (field) => {
    if (field.number >= FIRST_SCALAR) scalars.push(field.whole());
    else if (kind === "lp" && field.number === WARM_START) {
      field.expect(WIRE_LEN, "warm_start_data");
      forEachField(field.view(), "LPSolution.warm_start_data", (inner) => {
        if (inner.number >= FIRST_SCALAR) warmStart.push(inner.whole());
      });
    }
  });
  return { scalars, warmStart };
}

function addArrays(message: MessageBuilder, fields: readonly ResultField[], arrays: EncodedSolution["arrays"]): void {
  for (const { number, id } of fields) {
    const array = arrays.get(id);
    if (array !== undefined && array.length > 0) message.bytes(number, asBytes(array));
  }
}

function decodeLpSolution(segments: Segments, path: string): DecodedSolution {
  const message = new MessageBuilder();
  const scalars = new MessageBuilder();
  const arrays = new Map<ResultFieldId, Float64Array>();
  const warmStart: Uint8Array[] = [];
  takeArrays(segments, path, LP_FIELDS, arrays, (field) => {
    if (field.number === WARM_START) {
      field.expect(WIRE_LEN, "warm_start_data");
      warmStart.push(field.view());
    } else scalars.raw(field.whole());
  });
  if (warmStart.length > 0) {
    const inner = new MessageBuilder();
    const innerPath = `${path}.warm_start_data`;
    takeArrays(warmStart, innerPath, WARM_START_FIELDS, arrays, (field) => inner.raw(field.whole()));
    message.message(WARM_START, inner);
  }
  const bytes = message.raw(scalars.finish()).finish();
  return { kind: "lp", message: bytes, arrays, scalars: decodeScalars(LPSolutionSchema, bytes, path) };
}

function decodeMipSolution(segments: Segments, path: string): DecodedSolution {
  const message = new MessageBuilder();
  const arrays = new Map<ResultFieldId, Float64Array>();
  takeArrays(segments, path, MIP_FIELDS, arrays, (field) => message.raw(field.whole()));
  const bytes = message.finish();
  return { kind: "mip", message: bytes, arrays, scalars: decodeScalars(MIPSolutionSchema, bytes, path) };
}

/** Decodes the arrays of a message into `arrays`; all other fields go to `onOther`. */
function takeArrays(
  segments: Segments,
  path: string,
  fields: readonly ResultField[],
  arrays: Map<ResultFieldId, Float64Array>,
  onOther: (field: FieldScanner) => void,
): void {
  const byNumber = decodeArrays(segments, path, fields, onOther);
  for (const { number, id } of fields) {
    const array = byNumber.get(number);
    if (array instanceof Float64Array && array.length > 0) arrays.set(id, array);
  }
}
