// Which generation of client wrote a settings message, and therefore what an absent setting means.
//
// 26.04 settings had no presence: that client leaves out a setting whose value is zero. From 26.06 on they have presence:
// a client leaves out a setting it does not mean to change. The bytes tell the two apart with certainty for stock clients.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { UnsupportedGenerationError } from "./errors.ts";
import { FieldScanner, WIRE_I64, WIRE_VARINT } from "./fields.ts";
import { MIPSolverSettingsSchema, PDLPSolverSettingsSchema } from "./gen/cuopt/remote/settings_pb.js";

/** Which settings message: PDLPSolverSettings or MIPSolverSettings. */
export type SettingsKind = "lp" | "mip";

/** What the rest of a request, outside its settings, says about the client's generation. */
export interface GenerationSigns {
  /** Signs of 26.06 or newer, one phrase each. */
  readonly newer: readonly string[];
  /** Signs of the development wire before 26.04, one phrase each. */
  readonly unreleased: readonly string[];
}

/** Settings as the client meant them. */
export interface ClassifiedSettings {
  /** `sparse` is a hand-written client that sets a few fields; `none` sent no settings message at all. */
  readonly generation: "26.04" | "26.06" | "sparse" | "none";
  /** What a setting without a value means: literally zero (false, first enum value), or the library's default. */
  readonly absentMeans: "zero" | "default";
  /**
   * The settings that were sent, by field number; enums by number, 64-bit integers clamped to ±2^53. Numbers that the
   * schema does not know are left out.
   */
  readonly values: ReadonlyMap<number, number | boolean>;
  /** Whether warm-start data were sent. */
  readonly warmStart: boolean;
}

export const SETTINGS_SCHEMAS = { lp: PDLPSolverSettingsSchema, mip: MIPSolverSettingsSchema } as const;

const WARM_START = 50;

// What 26.04 defines, and which of it a stock 26.04 client leaves out only for a value of zero. `enough` leaves room for
// a user who switched off all that can be switched off.
const FIRST_RELEASE = {
  lp: { last: 30, always: numbers([1, 11], [14, 14], [16, 17], [19, 19], [22, 27], [30, 30]), enough: 11 },
  mip: { last: 28, always: numbers([1, 8], [10, 16], [18, 26], [28, 28]), enough: 12 },
} as const;

const fieldsByNumber = {
  lp: new Map(PDLPSolverSettingsSchema.fields.map((field) => [field.number, field])),
  mip: new Map(MIPSolverSettingsSchema.fields.map((field) => [field.number, field])),
};

/**
 * Reads a settings message and decides what its absent fields mean.
 * @param settings the encoded message; undefined if the request has none
 * @param signs what the rest of the request says
 * @throws UnsupportedGenerationError for the development wire before 26.04
 * @throws WireFormatError for malformed bytes
 */
export function classifySettings(
  kind: SettingsKind,
  settings: Uint8Array | undefined,
  signs: GenerationSigns = { newer: [], unreleased: [] },
): ClassifiedSettings {
  const unreleased = [...signs.unreleased, ...unreleasedSettings(kind, settings)];
  if (unreleased.length > 0) throw new UnsupportedGenerationError(unreleased);
  if (settings === undefined) {
    return { generation: "none", absentMeans: "default", values: new Map(), warmStart: false };
  }

  const values = new Map<number, number | boolean>();
  let warmStart = false;
  let newer = signs.newer.length > 0;
  const field = new FieldScanner(settings, SETTINGS_SCHEMAS[kind].name);
  while (field.next()) {
    if (kind === "lp" && field.number === WARM_START) {
      warmStart = true;
      continue;
    }
    // A writer without presence never puts a zero on the wire, nor a number it has not heard of.
    if (field.number > FIRST_RELEASE[kind].last) newer = true;
    const described = fieldsByNumber[kind].get(field.number);
    if (described === undefined) continue;
    values.set(field.number, readSetting(field, described));
    if (isZero(field)) newer = true;
  }

  if (newer) return { generation: "26.06", absentMeans: "default", values, warmStart };
  const { always, enough } = FIRST_RELEASE[kind];
  let present = 0;
  for (const number of values.keys()) if (always.has(number)) present++;
  if (present >= enough) return { generation: "26.04", absentMeans: "zero", values, warmStart };
  return { generation: "sparse", absentMeans: "default", values, warmStart };
}

/**
 * Signs of the development wire before 26.04 in a settings message.
 * @throws WireFormatError for malformed bytes
 */
export function unreleasedSettings(kind: SettingsKind, settings: Uint8Array | undefined): string[] {
  if (settings === undefined) return [];
  const signs = new Set<string>();
  const moved = new Set<number>();
  let timeLimit = false;
  const field = new FieldScanner(settings, SETTINGS_SCHEMAS[kind].name);
  while (field.next()) {
    if (kind === "mip") {
      if (field.number === 14 && field.wireType === WIRE_VARINT) signs.add("MIP setting 14 is a varint");
      continue;
    }
    if (field.number === 9) timeLimit = true;
    if (field.number === 10 && field.wireType === WIRE_I64) signs.add("LP setting 10 is a 64-bit value");
    if (field.number >= 33 && field.number <= 40 && field.wireType === WIRE_VARINT) moved.add(field.number);
  }
  if (moved.size > 0 && !timeLimit) {
    signs.add(`LP setting ${[...moved].join(", ")} without setting 9 (time_limit)`);
  }
  return [...signs];
}

/** The fields of a settings message that hold a plain value, in the order of the schema. */
export function settingFields(kind: SettingsKind): DescField[] {
  const schema: DescMessage = SETTINGS_SCHEMAS[kind];
  return schema.fields.filter((field) => field.fieldKind === "scalar" || field.fieldKind === "enum");
}

/** Whether 26.04 defines this setting. */
export function isFirstReleaseSetting(kind: SettingsKind, number: number): boolean {
  return number <= FIRST_RELEASE[kind].last;
}

function readSetting(field: FieldScanner, { name, scalar }: DescField): number | boolean {
  switch (scalar) {
    case ScalarType.DOUBLE:
      return field.double(name);
    case ScalarType.BOOL:
      return field.bool(name);
    case ScalarType.INT64:
      return Math.max(-(2 ** 53), Math.min(2 ** 53, Number(field.int64(name))));
    default:
      return field.int32(name);
  }
}

/** Whether the present field is a number whose bits are all zero; minus zero is not, so every writer sends it. */
function isZero(field: FieldScanner): boolean {
  const mask = field.wireType === WIRE_VARINT ? 0x7f : 0xff;
  for (let at = field.start; at < field.end; at++) if ((field.bytes[at]! & mask) !== 0) return false;
  return true;
}

function numbers(...ranges: readonly (readonly [number, number])[]): ReadonlySet<number> {
  const all = new Set<number>();
  for (const [first, last] of ranges) for (let number = first; number <= last; number++) all.add(number);
  return all;
}
