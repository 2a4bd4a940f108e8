// Solver settings of both wire generations: one catalogue, from which defaults, clamps and documentation come.
import { type ProblemKind, ValidationError } from "./problem.ts";
import { lpSettings } from "./settings-lp.ts";
import { mipSettings } from "./settings-mip.ts";

export type SettingValue = number | boolean;

/** How absent settings are to be read (behaviour document, section 15.5). */
export type AbsentMeans = "default" | "zero";

/** One setting of the wire. */
export interface SettingSpec {
  /** Field number in PDLPSolverSettings or MIPSolverSettings. */
  readonly number: number;
  /** Field name on the wire, e.g. "relative_mip_gap". */
  readonly name: string;
  /** Parameter name as users of cuopt_cli know it, e.g. "mip_relative_gap"; absent where there is none. */
  readonly parameter?: string | undefined;
  readonly type: "double" | "int" | "bool";
  /** What a library that was told nothing uses. */
  readonly default: SettingValue;
  /** First generation that has it. */
  readonly since: "26.04" | "26.06" | "26.08";
  /** Smallest and largest value a local parameter API accepts. */
  readonly range?: readonly [number, number] | undefined;
  /** Brings a value from the wire into what the server uses (documented clamps only). */
  readonly clamp?: ((value: number) => number) | undefined;
  /** For numbers of an enumeration: the server refuses anything outside `range`. */
  readonly closed?: boolean | undefined;
  /** One sentence: how it is honoured; or "none" when it has no effect here. */
  readonly effect: string | "none";
  /** One sentence for users: what it means, with its unit. */
  readonly meaning: string;
}

/** Settings as a job carries them: every name of the catalogue has a value. */
export interface SolveSettings {
  readonly kind: ProblemKind;
  readonly values: Readonly<Record<string, SettingValue>>;
  /** Names that the client set to something other than the library default. */
  readonly changed: readonly string[];
}

/** Settings as JSON can carry them: the numbers that JSON lacks are words. */
export interface SettingsJson {
  readonly kind: ProblemKind;
  readonly values: Readonly<Record<string, number | boolean | "Infinity" | "-Infinity">>;
  readonly changed: readonly string[];
}

/** Every field of PDLPSolverSettings (kind `lp`) or MIPSolverSettings (kind `mip`) that is a scalar, by number. */
export const settingsCatalogue: Readonly<Record<ProblemKind, readonly SettingSpec[]>> = {
  lp: lpSettings,
  mip: mipSettings,
};

/** What a library that was told nothing uses, clamps applied. */
export function defaultSettings(kind: ProblemKind): SolveSettings {
  return resolveSettings(kind, new Map(), "default");
}

/**
 * Turns what a client sent into the settings that a job carries.
 * @param present field number → value, for each scalar that was on the wire; unknown numbers are ignored, as protobuf does
 * @param absentMeans what a field of 26.04 that was not on the wire means: the library's default, or literally
 *   zero / false. Fields of later generations always fall back to their default: a 26.04 client does not know them.
 * @throws ValidationError for NaN, and for a number that an enumeration does not have
 */
export function resolveSettings(
  kind: ProblemKind,
  present: ReadonlyMap<number, SettingValue | bigint>,
  absentMeans: AbsentMeans,
): SolveSettings {
  const values: Record<string, SettingValue> = {};
  const changed: string[] = [];
  for (const spec of settingsCatalogue[kind]) {
    const sent = present.get(spec.number);
    const literalZero = absentMeans === "zero" && spec.since === "26.04";
    const absent = literalZero ? (spec.type === "bool" ? false : 0) : spec.default;
    const value = usedValue(spec, sent === undefined ? absent : sent);
    values[spec.name] = value;
    if (!Object.is(value, usedValue(spec, spec.default))) changed.push(spec.name);
  }
  return { kind, values, changed };
}

/**
 * Changes settings by the parameter names of the command line ("mip_relative_gap") or the wire names.
 * @throws ValidationError for an unknown name, a value of the wrong type, and a value outside the documented range
 */
export function changeSettings(
  settings: SolveSettings,
  changes: ReadonlyMap<string, SettingValue | string>,
): SolveSettings {
  const present = new Map<number, SettingValue>();
  const catalogue = settingsCatalogue[settings.kind];
  for (const spec of catalogue) {
    const value = settings.values[spec.name];
    if (settings.changed.includes(spec.name) && value !== undefined) present.set(spec.number, value);
  }
  for (const [name, text] of changes) {
    const spec = catalogue.find((s) => s.parameter === name) ?? catalogue.find((s) => s.name === name);
    if (spec === undefined) throw new ValidationError(`setting ${name} is unknown for a ${settings.kind} job`);
    const value = typeof text === "string" ? parsed(spec, name, text) : text;
    const [least, most] = spec.range ?? [-Infinity, Infinity];
    if (typeof value === "number" && !(value >= least && value <= most)) {
      throw new ValidationError(`setting ${name} is ${value}; allowed are ${rangeText(spec)}`);
    }
    present.set(spec.number, value);
  }
  return resolveSettings(settings.kind, present, "default");
}

/** Value of a numeric setting. */
export function numberOf(settings: SolveSettings, name: string): number {
  const value = settings.values[name];
  if (typeof value !== "number") throw new TypeError(`${settings.kind} settings have no number ${name}`);
  return value;
}

/** Value of a boolean setting. */
export function flagOf(settings: SolveSettings, name: string): boolean {
  const value = settings.values[name];
  if (typeof value !== "boolean") throw new TypeError(`${settings.kind} settings have no flag ${name}`);
  return value;
}

/** Names that the client changed although they have no effect here, in catalogue order: for the job's log. */
export function settingsWithoutEffect(settings: SolveSettings): string[] {
  return settingsCatalogue[settings.kind]
    .filter((spec) => spec.effect === "none" && settings.changed.includes(spec.name))
    .map((spec) => spec.name);
}

/** A plain object that survives JSON, infinities included. */
export function settingsToJson(settings: SolveSettings): SettingsJson {
  const values: Record<string, number | boolean | "Infinity" | "-Infinity"> = {};
  for (const [name, value] of Object.entries(settings.values)) {
    values[name] = value === Infinity ? "Infinity" : value === -Infinity ? "-Infinity" : value;
  }
  return { kind: settings.kind, values, changed: [...settings.changed] };
}

/**
 * The inverse of `settingsToJson`. Names that this version does not know are dropped, and names that are missing get
 * their default, so that a job written by another version stays readable.
 * @throws ValidationError when the object is not settings at all
 */
export function settingsFromJson(json: unknown): SolveSettings {
  const { kind, values } = (json ?? {}) as Partial<SettingsJson>;
  if ((kind !== "lp" && kind !== "mip") || typeof values !== "object" || values === null) {
    throw new ValidationError("settings: expected an object with kind lp or mip and values");
  }
  const present = new Map<number, SettingValue>();
  for (const spec of settingsCatalogue[kind]) {
    const value = values[spec.name];
    if (value === undefined) continue;
    if (value === "Infinity") present.set(spec.number, Infinity);
    else if (value === "-Infinity") present.set(spec.number, -Infinity);
    else if (typeof value === "number" || typeof value === "boolean") present.set(spec.number, value);
    else throw new ValidationError(`setting ${spec.name} is ${JSON.stringify(value)}; a number or boolean is expected`);
  }
  return resolveSettings(kind, present, "default");
}

function usedValue(spec: SettingSpec, sent: SettingValue | bigint): SettingValue {
  if (spec.type === "bool") return Boolean(sent);
  const value = Number(sent);
  if (Number.isNaN(value)) throw new ValidationError(`setting ${spec.name} (field ${spec.number}) is NaN`);
  const [least, most] = spec.range ?? [-Infinity, Infinity];
  if (spec.closed === true && (value < least || value > most)) {
    throw new ValidationError(
      `setting ${spec.name} (field ${spec.number}) is ${value}; allowed are ${rangeText(spec)}`,
    );
  }
  return spec.clamp === undefined ? value : spec.clamp(value);
}

function parsed(spec: SettingSpec, name: string, text: string): SettingValue {
  if (spec.type === "bool") {
    if (/^(true|True|TRUE|1|t|T)$/.test(text)) return true;
    if (/^(false|False|FALSE|0|f|F)$/.test(text)) return false;
    throw new ValidationError(`setting ${name} is ${JSON.stringify(text)}; true or false is expected`);
  }
  const infinity = /^([+-]?)inf(inity)?$/i.exec(text.trim());
  const value = infinity === null ? Number(text) : infinity[1] === "-" ? -Infinity : Infinity;
  const fits = text.trim() !== "" && !Number.isNaN(value) && (spec.type === "double" || Number.isInteger(value));
  if (fits) return value;
  const wanted = spec.type === "int" ? "a whole number" : "a number";
  throw new ValidationError(`setting ${name} is ${JSON.stringify(text)}; ${wanted} is expected`);
}

/** "-1 to 2", "at least 0", or "" when nothing is documented. */
export function rangeText(spec: SettingSpec): string {
  if (spec.range === undefined) return "";
  const [least, most] = spec.range;
  return most === Infinity ? `at least ${least}` : `${least} to ${most}`;
}
