// A problem as it goes onto the wire: its header, and its arrays as bytes.
import { create, fromBinary } from "@bufbuild/protobuf";
import {
  ArrayFieldId,
  asBytes,
  type ChunkedProblemHeader,
  ChunkedProblemHeaderSchema,
  encodeSettings,
  encodeSubmitJobRequest,
  joinNames,
  MIPSolverSettingsSchema,
  PDLPSolverSettingsSchema,
  ProblemCategory,
  type ProblemToSend,
  type SettingsKind,
  type SettingValues,
} from "@sortie/wire";

/** A problem to submit. Arrays by their id on the wire. */
export interface ProblemMessage extends ProblemToSend {
  readonly kind: SettingsKind;
  /** Solver settings by wire name; absent ones have their defaults. */
  readonly settings?: SettingValues | undefined;
  /** MIP only: whether incumbents are to be published. Default true. */
  readonly enableIncumbents?: boolean | undefined;
}

export function headerOf(problem: ProblemMessage): ChunkedProblemHeader {
  const { kind, settings } = problem;
  if (problem.quadraticConstraints) throw new TypeError("quadratic constraints cannot be sent");
  const encoded = encodeSettings(kind, settings);
  return create(ChunkedProblemHeaderSchema, {
    header: { version: 1, problemCategory: kind === "mip" ? ProblemCategory.MIP : ProblemCategory.LP },
    maximize: problem.maximize ?? false,
    objectiveScalingFactor: problem.objectiveScalingFactor ?? 1,
    objectiveOffset: problem.objectiveOffset ?? 0,
    problemName: problem.problemName ?? "",
    objectiveName: problem.objectiveName ?? "",
    settings:
      kind === "mip"
        ? { case: "mipSettings", value: fromBinary(MIPSolverSettingsSchema, encoded) }
        : { case: "lpSettings", value: fromBinary(PDLPSolverSettingsSchema, encoded) },
    enableIncumbents: kind === "mip" && (problem.enableIncumbents ?? true),
  });
}

/** The problem as one message of SubmitJob; every array is copied into it once. */
export function submissionOf(problem: ProblemMessage): Uint8Array {
  const { kind, settings, enableIncumbents } = problem;
  return encodeSubmitJobRequest({
    kind,
    problem,
    settings: encodeSettings(kind, settings),
    ...(kind === "mip" && { enableIncumbents: enableIncumbents ?? true }),
  });
}

export interface OutgoingArray {
  readonly fieldId: number;
  /** As errors call it: "A_values". */
  readonly name: string;
  readonly elementBytes: number;
  /** The array's own memory, or names joined. */
  readonly bytes: Uint8Array;
}

type TypedArray = ArrayBufferView & { readonly BYTES_PER_ELEMENT: number; readonly length: number };

/** The order in which cuOpt's own client sends arrays; what it never sends comes before the names. */
const ORDER: readonly ArrayFieldId[] = [
  ArrayFieldId.FIELD_A_VALUES,
  ArrayFieldId.FIELD_A_INDICES,
  ArrayFieldId.FIELD_A_OFFSETS,
  ArrayFieldId.FIELD_C,
  ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS,
  ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS,
  ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS,
  ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS,
  ArrayFieldId.FIELD_B,
  ArrayFieldId.FIELD_ROW_TYPES,
  ArrayFieldId.FIELD_VARIABLE_TYPES,
  ArrayFieldId.FIELD_Q_VALUES,
  ArrayFieldId.FIELD_Q_INDICES,
  ArrayFieldId.FIELD_Q_OFFSETS,
  ArrayFieldId.FIELD_INITIAL_PRIMAL_SOLUTION,
  ArrayFieldId.FIELD_INITIAL_DUAL_SOLUTION,
];

/** All arrays that are not empty, in the order of sending. Names go as arrays 0 and 1, so that the header stays small. */
export function arraysOf(problem: ProblemMessage): OutgoingArray[] {
  const arrays: OutgoingArray[] = [];
  for (const fieldId of ORDER) {
    const array = problem.arrays.get(fieldId) as TypedArray | undefined;
    if (!array || array.length === 0) continue;
    arrays.push({ fieldId, name: nameOf(fieldId), elementBytes: array.BYTES_PER_ELEMENT, bytes: asBytes(array) });
  }
  for (const [fieldId, names] of [
    [ArrayFieldId.FIELD_VARIABLE_NAMES, problem.variableNames],
    [ArrayFieldId.FIELD_ROW_NAMES, problem.rowNames],
  ] as const) {
    if (!names || names.length === 0) continue;
    const name = nameOf(fieldId);
    arrays.push({ fieldId, name, elementBytes: 1, bytes: joinNames(names, name) });
  }
  return arrays;
}

/** "A_values" */
function nameOf(fieldId: ArrayFieldId): string {
  const [, matrix = "", rest = ""] = /^FIELD_([AQ]_)?(.*)$/.exec(String(ArrayFieldId[fieldId])) ?? [];
  return `${matrix}${rest.toLowerCase()}`;
}

/**
 * Bytes that the problem takes as one message, estimated from above as cuOpt's own client does, which decides by it between
 * one message and chunks: 8 for every double, 5 for every index, 1 for every type of a row or a variable, length + 2 for
 * every name, and 512.
 */
export function estimatedBytes(problem: ProblemMessage): number {
  let bytes = 512;
  for (const [fieldId, array] of problem.arrays) {
    const each = fieldId === ArrayFieldId.FIELD_VARIABLE_TYPES ? 1 : BYTES_IN_MESSAGE[array.BYTES_PER_ELEMENT];
    bytes += array.length * (each ?? array.BYTES_PER_ELEMENT);
  }
  for (const names of [problem.variableNames ?? [], problem.rowNames ?? []]) {
    for (const name of names) bytes += utf8Length(name) + 2;
  }
  return bytes;
}

/** By the size of an element in memory: indices travel as varints. */
const BYTES_IN_MESSAGE: Readonly<Record<number, number>> = { 8: 8, 4: 5, 1: 1 };

function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Half of a pair of surrogates: two bytes of four.
    const isHalf = unit >= 0xd800 && unit < 0xe000;
    if (unit >= 0x80) length += unit >= 0x800 && !isHalf ? 2 : 1;
  }
  return length;
}
