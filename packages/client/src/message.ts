// A problem as it goes onto the wire: its header, and its arrays as bytes.
import { create, fromBinary } from "@bufbuild/protobuf";
import {
  type ArrayFieldId,
  asBytes,
  type ChunkedProblemHeader,
  ChunkedProblemHeaderSchema,
  encodeSettings,
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

export interface OutgoingArray {
  readonly fieldId: number;
  readonly elementBytes: number;
  readonly bytes: Uint8Array;
}

/** Names go as arrays 0 and 1, so that the header stays small. */
export function arraysOf(problem: ProblemMessage): OutgoingArray[] {
  const arrays: OutgoingArray[] = [];
  for (const [fieldId, names] of [
    [0, problem.variableNames],
    [1, problem.rowNames],
  ] as const) {
    if (names && names.length > 0) arrays.push({ fieldId, elementBytes: 1, bytes: joinNames(names) });
  }
  for (const [fieldId, array] of problem.arrays as ReadonlyMap<
    ArrayFieldId,
    ArrayBufferView & { BYTES_PER_ELEMENT: number }
  >) {
    if (array.byteLength > 0) arrays.push({ fieldId, elementBytes: array.BYTES_PER_ELEMENT, bytes: asBytes(array) });
  }
  return arrays;
}
