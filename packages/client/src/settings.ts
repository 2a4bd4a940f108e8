// Typed solver settings, and their way to the names and numbers of the wire. Every name, unit and default is documented
// at the properties of LpSettings and MipSettings.
import type { SettingsKind, SettingValues } from "@sortie/wire";
import { InvalidSettingError } from "./input-errors.ts";
import { nearest } from "./nearest.ts";
import { LP_SETTING_FIELDS, type LpSettings, MIP_SETTING_FIELDS, type MipSettings } from "./setting-fields.ts";

export type { LpSettings, MipSettings } from "./setting-fields.ts";

/** What is known of one setting. */
export interface SettingField {
  /** Property of {@link LpSettings} or {@link MipSettings}, e.g. "relativeMipGap". */
  readonly property: string;
  /** Name on the wire, e.g. "relative_mip_gap". */
  readonly name: string;
  /** Name as a parameter of cuOpt's own tools, where that is another one, e.g. "mip_relative_gap". */
  readonly parameter?: string;
  readonly type: "double" | "int" | "bool";
  /** Least and greatest number that is allowed. */
  readonly range?: readonly [number, number];
  /** Words that stand for numbers, e.g. "barrier" for 3. */
  readonly words?: Readonly<Record<string, number>>;
  /** A count whose limit may be Infinity, and the number that says so on the wire. */
  readonly infinityIs?: number;
}

interface KnownSettings {
  /** How an error names these settings. */
  readonly title: string;
  readonly fields: readonly SettingField[];
  readonly byProperty: ReadonlyMap<string, SettingField>;
}

const known = (title: string, fields: readonly SettingField[]): KnownSettings => ({
  title,
  fields,
  byProperty: new Map(fields.map((field) => [field.property, field])),
});

const SETTINGS: Readonly<Record<SettingsKind, KnownSettings>> = {
  lp: known("an LP or QP", LP_SETTING_FIELDS),
  mip: known("a MIP", MIP_SETTING_FIELDS),
};

/** Every setting of a kind of problem, in the order of the wire's numbers. */
export function settingFields(kind: SettingsKind): readonly SettingField[] {
  return SETTINGS[kind].fields;
}

/**
 * Settings by their names on the wire, words as numbers; only those that are given, and nothing that is undefined.
 * @throws InvalidSettingError for a name that is no setting of this kind, and for a value of the wrong type or range
 */
export function settingValues(kind: "lp", settings: LpSettings): SettingValues;
export function settingValues(kind: "mip", settings: MipSettings): SettingValues;
export function settingValues(kind: SettingsKind, settings: LpSettings | MipSettings): SettingValues;
export function settingValues(kind: SettingsKind, settings: LpSettings | MipSettings): SettingValues {
  const values: Record<string, number | boolean> = {};
  for (const [property, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    const field = SETTINGS[kind].byProperty.get(property);
    if (field === undefined) throw new InvalidSettingError(unknownText(kind, property));
    values[field.name] = wireValue(field, value);
  }
  return values;
}

function unknownText(kind: SettingsKind, property: string): string {
  const { title, fields, byProperty } = SETTINGS[kind];
  const text = `${property} is not a setting of ${title}`;
  const meant = fields.find(({ name, parameter }) => name === property || parameter === property)?.property;
  const near = meant ?? nearest(property, byProperty.keys());
  if (near !== undefined) return `${text}; did you mean ${near}?`;
  const other = kind === "lp" ? "mip" : "lp";
  return SETTINGS[other].byProperty.has(property) ? `${text}, but of ${SETTINGS[other].title}` : text;
}

function wireValue(field: SettingField, value: unknown): number | boolean {
  const fault = () => new InvalidSettingError(`${field.property} is ${shown(value)}; allowed: ${allowedText(field)}`);
  if (field.type === "bool") {
    if (typeof value !== "boolean") throw fault();
    return value;
  }
  if (typeof value === "string") {
    const number = field.words && Object.hasOwn(field.words, value) ? field.words[value] : undefined;
    if (number === undefined) throw fault();
    return number;
  }
  if (typeof value !== "number") throw fault();
  if (value === Infinity && field.infinityIs !== undefined) return field.infinityIs;
  const [least, most] = field.range ?? [-Infinity, Infinity];
  // NaN is in no range.
  if (!(value >= least && value <= most)) throw fault();
  if (field.type === "int" && !Number.isInteger(value)) throw fault();
  return value;
}

const shown = (value: unknown): string => (typeof value === "string" ? JSON.stringify(value) : String(value));

/** `"off" (0), "on" (1), a whole number from -1 to 1` */
function allowedText({ type, range, words, infinityIs }: SettingField): string {
  if (type === "bool") return "true or false";
  const parts = Object.entries(words ?? {}).map(([word, number]) => `"${word}" (${number})`);
  const [least, most] = range ?? [-Infinity, Infinity];
  const ends = range === undefined ? "" : most === Infinity ? ` of at least ${least}` : ` from ${least} to ${most}`;
  parts.push(`${type === "int" ? "a whole number" : "a number"}${ends}`);
  if (infinityIs !== undefined) parts.push("Infinity for no limit");
  return parts.join(", ");
}
