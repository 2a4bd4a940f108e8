// A problem on its way in: SubmitJobRequest and StartChunkedUploadRequest ↔ typed arrays.
import { MessageBuilder } from "./builder.ts";
import { UnsupportedGenerationError } from "./errors.ts";
import {
  decodeUtf8,
  type EncodedMessage,
  type FieldScanner,
  forEachField,
  forEachFieldOf,
  joinSegments,
  type Segments,
  WIRE_LEN,
} from "./fields.ts";
import { ArrayFieldId } from "./gen/cuopt/remote/service_pb.js";
import { type GenerationSigns, type SettingsKind, unreleasedSettings } from "./generation.ts";
import { type ArrayField, asBytes, decodeArrays, type NumberArray, varintsFromInt32s } from "./packed.ts";

/** The scalars and names of a problem, however it travels. */
export interface ProblemScalars {
  readonly problemName: string;
  readonly objectiveName: string;
  readonly maximize: boolean;
  /** Undefined if the client did not send it, which means 1. */
  readonly objectiveScalingFactor: number | undefined;
  readonly objectiveOffset: number;
  readonly variableNames: readonly string[];
  readonly rowNames: readonly string[];
  /** How many quadratic constraints the message carries. */
  readonly quadraticConstraints: number;
}

/** A problem as the wire gives it: nothing about it is checked beyond its encoding. */
export interface WireProblem extends ProblemScalars {
  /**
   * The arrays that the message carries, by {@link ArrayFieldId} (2 to 17), as on the chunked path: doubles as
   * Float64Array, indices and variable types as Int32Array, row types as Uint8Array. They may be views into the message.
   */
  readonly arrays: ReadonlyMap<ArrayFieldId, NumberArray | Uint8Array>;
  /** The numbers of all fields of OptimizationProblem that occur, unknown ones too, ascending. */
  readonly fieldNumbersPresent: readonly number[];
}

/** A unary submission. */
export interface Submission {
  /** Which arm of the request is set; undefined if none is. */
  readonly arm: "lp" | "mip" | "vrp" | undefined;
  /** `header.problem_category`; 0 if absent. The arm decides, not this. */
  readonly category: number;
  /** `header.version`; 0 if absent. */
  readonly version: number;
  readonly problem: WireProblem | undefined;
  /** The encoded settings message of the arm. */
  readonly settings: Uint8Array | undefined;
  /** Undefined if absent, which means true here. */
  readonly enableIncumbents: boolean | undefined;
  readonly generationSigns: GenerationSigns;
}

/** The header of a chunked upload. */
export interface UploadHeader extends ProblemScalars {
  /** Which solver is asked for: `header.problem_category` is 1 for MIP; any other value, or none, is LP. */
  readonly kind: SettingsKind;
  /** `header.problem_category`; 0 if absent. */
  readonly category: number;
  /** `header.version`; 0 if absent. */
  readonly version: number;
  /** The encoded settings message, if its arm fits `kind`; otherwise library defaults apply. */
  readonly settings: Uint8Array | undefined;
  /** Which settings arm is set, fitting or not. */
  readonly settingsArm: SettingsKind | undefined;
  /** Undefined if absent, which means false here. */
  readonly enableIncumbents: boolean | undefined;
  readonly generationSigns: GenerationSigns;
}

const CATEGORY_MIP = 1;

const PROBLEM_FIELDS: readonly (ArrayField & { readonly id: ArrayFieldId })[] = [
  { number: 9, name: "A_values", kind: "double", id: ArrayFieldId.FIELD_A_VALUES },
  { number: 10, name: "A_indices", kind: "int32", id: ArrayFieldId.FIELD_A_INDICES },
  { number: 11, name: "A_offsets", kind: "int32", id: ArrayFieldId.FIELD_A_OFFSETS },
  { number: 12, name: "c", kind: "double", id: ArrayFieldId.FIELD_C },
  { number: 13, name: "b", kind: "double", id: ArrayFieldId.FIELD_B },
  { number: 14, name: "variable_lower_bounds", kind: "double", id: ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS },
  { number: 15, name: "variable_upper_bounds", kind: "double", id: ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS },
  { number: 16, name: "constraint_lower_bounds", kind: "double", id: ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS },
  { number: 17, name: "constraint_upper_bounds", kind: "double", id: ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS },
  { number: 19, name: "variable_types", kind: "int32", id: ArrayFieldId.FIELD_VARIABLE_TYPES },
  { number: 20, name: "initial_primal_solution", kind: "double", id: ArrayFieldId.FIELD_INITIAL_PRIMAL_SOLUTION },
  { number: 21, name: "initial_dual_solution", kind: "double", id: ArrayFieldId.FIELD_INITIAL_DUAL_SOLUTION },
  { number: 22, name: "Q_values", kind: "double", id: ArrayFieldId.FIELD_Q_VALUES },
  { number: 23, name: "Q_indices", kind: "int32", id: ArrayFieldId.FIELD_Q_INDICES },
  { number: 24, name: "Q_offsets", kind: "int32", id: ArrayFieldId.FIELD_Q_OFFSETS },
];
const ROW_TYPES_FIELD = 18;

/**
 * Decodes a SubmitJobRequest. Of a scalar the last occurrence counts, repeated fields are concatenated, and of the arms
 * of the oneof the last one counts, merged with its own occurrences before it.
 * @throws WireFormatError for malformed bytes and text that is not UTF-8
 * @throws UnsupportedGenerationError for the development wire before 26.04
 */
export function decodeSubmitJobRequest(request: EncodedMessage): Submission {
  let arm: Submission["arm"];
  let segments: Uint8Array[] = [];
  forEachField(request, "SubmitJobRequest", (field) => {
    const found = ARMS[field.number - 1];
    if (found === undefined) return;
    field.expect(WIRE_LEN, `${found}_request`);
    if (arm !== found) segments = [];
    arm = found;
    segments.push(field.view());
  });

  const signs: { newer: string[]; unreleased: string[] } = { newer: [], unreleased: [] };
  if (arm === "vrp") signs.newer.push("SubmitJobRequest 3 (vrp_request)");
  if (arm === undefined || arm === "vrp") {
    return {
      arm,
      category: 0,
      version: 0,
      problem: undefined,
      settings: undefined,
      enableIncumbents: undefined,
      generationSigns: signs,
    };
  }

  const path = `SubmitJobRequest.${arm}_request`;
  const header: Uint8Array[] = [];
  const problem: Uint8Array[] = [];
  const settings: Uint8Array[] = [];
  let enableIncumbents: boolean | undefined;
  let incumbentSet = false;
  forEachFieldOf(segments, path, (field) => {
    if (field.number === 1) header.push(message(field, "header"));
    else if (field.number === 2) problem.push(message(field, "problem"));
    else if (field.number === 3) settings.push(message(field, "settings"));
    else if (arm === "mip" && field.number === 4) enableIncumbents = field.bool("enable_incumbents");
    else if (arm === "mip" && field.number === 5) incumbentSet = true;
  });
  if (incumbentSet) signs.newer.push("SolveMIPRequest 5 (enable_incumbent_set)");
  const settingsBytes = settings.length > 0 ? joinSegments(settings) : undefined;

  // Before the problem is decoded: a message of another numbering would fail there with a misleading text.
  addProblemSigns(problem, `${path}.problem`, signs);
  const unreleased = [...signs.unreleased, ...unreleasedSettings(arm, settingsBytes)];
  if (unreleased.length > 0) throw new UnsupportedGenerationError(unreleased);

  return {
    arm,
    ...decodeHeader(header, `${path}.header`),
    problem: problem.length > 0 ? decodeProblem(problem, `${path}.problem`) : undefined,
    settings: settingsBytes,
    enableIncumbents,
    generationSigns: signs,
  };
}

const ARMS = ["lp", "mip", "vrp"] as const;

/**
 * Decodes a StartChunkedUploadRequest. A missing header equals an empty one.
 * @throws WireFormatError for malformed bytes and text that is not UTF-8
 * @throws UnsupportedGenerationError for the development wire before 26.04
 */
export function decodeStartChunkedUploadRequest(request: EncodedMessage): UploadHeader {
  const segments: Uint8Array[] = [];
  forEachField(request, "StartChunkedUploadRequest", (field) => {
    if (field.number === 1) segments.push(message(field, "problem_header"));
  });

  const path = "StartChunkedUploadRequest.problem_header";
  const scalars = new ScalarReader();
  const header: Uint8Array[] = [];
  // A set, because a field may occur any number of times.
  const newer = new Set<string>();
  let settings: Uint8Array[] = [];
  let settingsArm: SettingsKind | undefined;
  let enableIncumbents: boolean | undefined;
  forEachFieldOf(segments, path, (field) => {
    switch (field.number) {
      case 1:
        header.push(message(field, "header"));
        break;
      case 2:
        scalars.maximize = field.bool("maximize");
        break;
      case 3:
        scalars.readScalingFactor(field);
        break;
      case 4:
        scalars.objectiveOffset = field.double("objective_offset");
        break;
      case 5:
        scalars.problemName = field.string("problem_name");
        break;
      case 6:
        scalars.objectiveName = field.string("objective_name");
        break;
      case 7:
        scalars.addName(field, "variable_names");
        break;
      case 8:
        scalars.addName(field, "row_names");
        break;
      case 9:
        newer.add("ChunkedProblemHeader 9 (problem_category)");
        break;
      case 20:
      case 21: {
        const found = field.number === 20 ? "lp" : "mip";
        const bytes = message(field, `${found}_settings`);
        if (settingsArm !== found) settings = [];
        settingsArm = found;
        settings.push(bytes);
        break;
      }
      case 25:
        field.expect(WIRE_LEN, "quadratic_constraints");
        scalars.quadraticConstraints++;
        break;
      case 30:
        enableIncumbents = field.bool("enable_incumbents");
        break;
      case 31:
        newer.add("ChunkedProblemHeader 31 (enable_incumbent_set)");
        break;
    }
  });
  if (scalars.quadraticConstraints > 0) newer.add("ChunkedProblemHeader 25 (quadratic_constraints)");
  if (scalars.objectiveScalingFactor === 0) newer.add("an explicit objective_scaling_factor of 0");

  const { category, version } = decodeHeader(header, `${path}.header`);
  const kind = category === CATEGORY_MIP ? "mip" : "lp";
  const settingsBytes = settings.length > 0 ? joinSegments(settings) : undefined;
  if (settingsArm !== undefined) {
    const unreleased = unreleasedSettings(settingsArm, settingsBytes);
    if (unreleased.length > 0) throw new UnsupportedGenerationError(unreleased);
  }
  return {
    ...scalars.result(),
    kind,
    category,
    version,
    settings: settingsArm === kind ? settingsBytes : undefined,
    settingsArm,
    enableIncumbents,
    generationSigns: { newer: [...newer], unreleased: [] },
  };
}

/** A problem to send. Arrays as in {@link WireProblem.arrays}; empty ones are left out. */
export interface ProblemToSend extends Partial<ProblemScalars> {
  readonly arrays: ReadonlyMap<ArrayFieldId, NumberArray | Uint8Array>;
}

/** A unary submission to send. */
export interface SubmissionToSend {
  readonly kind: SettingsKind;
  readonly problem: ProblemToSend;
  /** The encoded settings message, best from `encodeSettings`; without one the server's defaults apply. */
  readonly settings?: Uint8Array | undefined;
  /** MIP only. Absent means true to every server. */
  readonly enableIncumbents?: boolean | undefined;
}

/**
 * Encodes a SubmitJobRequest; every array is copied once. The scaling factor is always sent (1 unless given), because a
 * 26.04 server reads an absent one as 0.
 * @throws TypeError if an array has the wrong type for its field, or a quadratic constraint is to be sent
 * @throws RangeError above 2 GiB
 */
export function encodeSubmitJobRequest(submission: SubmissionToSend): Uint8Array {
  const { kind, settings, enableIncumbents } = submission;
  const arm = new MessageBuilder();
  arm.message(1, encodeHeader(kind)).message(2, encodeProblem(submission.problem));
  if (settings !== undefined) arm.bytes(3, settings);
  if (kind === "mip" && enableIncumbents !== undefined) arm.varint(4, enableIncumbents);
  return new MessageBuilder().message(kind === "lp" ? 1 : 2, arm).finish();
}

/** The request header that every known client sends: version 1 and the category. */
function encodeHeader(kind: SettingsKind): MessageBuilder {
  const header = new MessageBuilder().varint(1, 1);
  return kind === "mip" ? header.varint(2, CATEGORY_MIP) : header;
}

function encodeProblem(problem: ProblemToSend): MessageBuilder {
  if (problem.quadraticConstraints) throw new TypeError("quadratic constraints cannot be sent");
  const message = new MessageBuilder();
  if (problem.problemName) message.string(1, problem.problemName);
  if (problem.objectiveName) message.string(2, problem.objectiveName);
  if (problem.maximize) message.varint(3, true);
  message.double(4, problem.objectiveScalingFactor ?? 1);
  const offset = problem.objectiveOffset ?? 0;
  if (!Object.is(offset, 0)) message.double(5, offset);
  message.strings(7, problem.variableNames ?? []).strings(8, problem.rowNames ?? []);
  for (const field of PROBLEM_FIELDS) {
    // Between 17 and 19, so that numbers ascend.
    if (field.number === ROW_TYPES_FIELD + 1) addRowTypes(message, problem);
    const array = problem.arrays.get(field.id);
    if (array === undefined || array.length === 0) continue;
    if (field.kind === "double" && array instanceof Float64Array) message.bytes(field.number, asBytes(array));
    else if (field.kind === "int32" && array instanceof Int32Array)
      message.bytes(field.number, varintsFromInt32s(array));
    else throw new TypeError(`${field.name} must be ${field.kind === "double" ? "a Float64Array" : "an Int32Array"}`);
  }
  return message;
}

function addRowTypes(message: MessageBuilder, problem: ProblemToSend): void {
  const rowTypes = problem.arrays.get(ArrayFieldId.FIELD_ROW_TYPES);
  if (rowTypes === undefined || rowTypes.length === 0) return;
  if (!(rowTypes instanceof Uint8Array)) throw new TypeError("row_types must be a Uint8Array");
  message.bytes(ROW_TYPES_FIELD, rowTypes);
}

/** Collects the scalars that OptimizationProblem and ChunkedProblemHeader share. */
class ScalarReader {
  problemName = "";
  objectiveName = "";
  maximize = false;
  objectiveScalingFactor: number | undefined;
  objectiveOffset = 0;
  quadraticConstraints = 0;
  readonly #variableNames: string[] = [];
  readonly #rowNames: string[] = [];

  readScalingFactor(field: FieldScanner): void {
    this.objectiveScalingFactor = field.double("objective_scaling_factor");
  }

  addName(field: FieldScanner, list: "variable_names" | "row_names"): void {
    field.expect(WIRE_LEN, list);
    const names = list === "variable_names" ? this.#variableNames : this.#rowNames;
    names.push(decodeUtf8(field.bytes, field.start, field.end, `${field.path}.${list}`));
  }

  result(): ProblemScalars {
    return {
      problemName: this.problemName,
      objectiveName: this.objectiveName,
      maximize: this.maximize,
      objectiveScalingFactor: this.objectiveScalingFactor,
      objectiveOffset: this.objectiveOffset,
      variableNames: this.#variableNames,
      rowNames: this.#rowNames,
      quadraticConstraints: this.quadraticConstraints,
    };
  }
}

function decodeProblem(segments: Segments, path: string): WireProblem {
  const scalars = new ScalarReader();
  const present = new Set<number>();
  let rowTypes: Uint8Array | undefined;
  const byNumber = decodeArrays(segments, path, PROBLEM_FIELDS, (field) => {
    present.add(field.number);
    switch (field.number) {
      case 1:
        scalars.problemName = field.string("problem_name");
        break;
      case 2:
        scalars.objectiveName = field.string("objective_name");
        break;
      case 3:
        scalars.maximize = field.bool("maximize");
        break;
      case 4:
        scalars.readScalingFactor(field);
        break;
      case 5:
        scalars.objectiveOffset = field.double("objective_offset");
        break;
      case 7:
        scalars.addName(field, "variable_names");
        break;
      case 8:
        scalars.addName(field, "row_names");
        break;
      case ROW_TYPES_FIELD:
        rowTypes = message(field, "row_types");
        break;
      case 25:
        field.expect(WIRE_LEN, "quadratic_constraints");
        scalars.quadraticConstraints++;
        break;
    }
  });

  const arrays = new Map<ArrayFieldId, NumberArray | Uint8Array>();
  for (const { number, id } of PROBLEM_FIELDS) {
    const array = byNumber.get(number);
    if (array === undefined) continue;
    arrays.set(id, array);
    present.add(number);
  }
  if (rowTypes !== undefined) arrays.set(ArrayFieldId.FIELD_ROW_TYPES, rowTypes);
  return { ...scalars.result(), arrays, fieldNumbersPresent: [...present].sort((a, b) => a - b) };
}

function decodeHeader(segments: Segments, path: string): { category: number; version: number } {
  let category = 0;
  let version = 0;
  forEachFieldOf(segments, path, (field) => {
    if (field.number === 1) version = field.int32("version") >>> 0;
    else if (field.number === 2) category = field.int32("problem_category");
  });
  return { category, version };
}

/** Looks for what only a newer or an unreleased client puts into OptimizationProblem. */
function addProblemSigns(segments: Segments, path: string, signs: { newer: string[]; unreleased: string[] }): void {
  let quadraticConstraints = false;
  let scalingFactor: number | undefined;
  let oldNames = false;
  let rowNames: Uint8Array | undefined;
  let letters: Uint8Array | undefined;
  forEachFieldOf(segments, path, (field) => {
    if (field.number === 4) scalingFactor = field.double("objective_scaling_factor");
    else if (field.number === 6) oldNames = true;
    else if (field.number === 8 && field.wireType === WIRE_LEN) rowNames ??= field.view();
    else if (field.number === ROW_TYPES_FIELD && field.wireType === WIRE_LEN) letters = field.view();
    else if (field.number === 25) quadraticConstraints = true;
  });
  if (quadraticConstraints) signs.newer.push("OptimizationProblem 25 (quadratic_constraints)");
  if (scalingFactor === 0) signs.newer.push("an explicit objective_scaling_factor of 0");
  if (oldNames) signs.unreleased.push("OptimizationProblem has a field 6");
  if (rowNames && letters && looksLikeDoubles(rowNames) && letters.length > 0 && letters.every(isLetter)) {
    signs.unreleased.push("OptimizationProblem field 8 (row names) holds packed doubles");
  }
}

/** Whether bytes have the length of packed doubles and cannot be a name: they hold a NUL or are not UTF-8. */
function looksLikeDoubles(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length % 8 !== 0) return false;
  if (bytes.includes(0)) return true;
  try {
    decodeUtf8(bytes, 0, bytes.length, "row_names");
    return false;
  } catch {
    return true;
  }
}

function isLetter(byte: number): boolean {
  const upper = byte & ~0x20;
  return upper >= 0x41 && upper <= 0x5a;
}

function message(field: FieldScanner, name: string): Uint8Array {
  field.expect(WIRE_LEN, name);
  return field.view();
}
