// The client's typed settings, made from the solver's catalogue: an interface with documentation, and a table to check by.
// `npm run generate` writes them.
import { type SettingSpec, settingsCatalogue } from "@sortie/solve";

type Kind = keyof typeof settingsCatalogue;
type Words = Readonly<Record<string, number>>;

const SWITCH: Words = { off: 0, on: 1 };
const PRESOLVERS: Words = { off: 0, papilo: 1, pslp: 2 };

/** Words for the numbers of enumerations. What the catalogue calls automatic at -1 has that word without being listed. */
const WORDS: Readonly<Record<Kind, Readonly<Record<string, Words>>>> = {
  lp: {
    pdlp_solver_mode: { stable1: 0, stable2: 1, methodical1: 2, fast1: 3, stable3: 4 },
    method: { concurrent: 0, pdlp: 1, "dual-simplex": 2, barrier: 3 },
    presolver: PRESOLVERS,
    folding: SWITCH,
    augmented: SWITCH,
    dualize: SWITCH,
    ordering: { default: 0, amd: 1 },
    pdlp_precision: { single: 0, double: 1, mixed: 2 },
  },
  mip: {
    presolver: PRESOLVERS,
    mip_scaling: { off: 0, on: 1, "without-objective": 2 },
    mir_cuts: SWITCH,
    mixed_integer_gomory_cuts: SWITCH,
    knapsack_cuts: SWITCH,
    clique_cuts: SWITCH,
    strong_chvatal_gomory_cuts: SWITCH,
    determinism_mode: { opportunistic: 0, deterministic: 1 },
    implied_bound_cuts: SWITCH,
    symmetry: SWITCH,
    zero_half_cuts: SWITCH,
  },
};

const INT32: readonly [number, number] = [-(2 ** 31), 2 ** 31 - 1];

/** The source text of the client's settings, not yet formatted. */
export function clientSettingsSource(): string {
  return `// The solver settings that a client may give, by kind of problem. Generated from the solver's catalogue by
// \`npm run generate\`; do not edit.
import type { SettingField } from "./settings.ts";

/** Settings of an LP or QP. What is left out has its default. */
export interface LpSettings {
${properties("lp")}
}

/** Settings of a MIP. What is left out has its default. */
export interface MipSettings {
${properties("mip")}
}

export const LP_SETTING_FIELDS: readonly SettingField[] = [
${settingsCatalogue.lp.map((spec) => entry("lp", spec)).join("\n")}
];

export const MIP_SETTING_FIELDS: readonly SettingField[] = [
${settingsCatalogue.mip.map((spec) => entry("mip", spec)).join("\n")}
];
`;
}

function properties(kind: Kind): string {
  const specs = settingsCatalogue[kind];
  return specs.map((spec, at) => property(kind, spec, meaningOf(spec, specs[at - 1]))).join("\n");
}

function property(kind: Kind, spec: SettingSpec, meaning: string): string {
  const words = wordsOf(kind, spec);
  const type = spec.type === "bool" ? ["boolean"] : [...Object.keys(words).map((word) => `"${word}"`), "number"];
  const range = rangeOf(spec);
  const allowed = spec.range ? ` Allowed: ${rangeText(range)}.` : "";
  const facts = `Default: ${defaultText(spec, words)}.${allowed} On the wire: ${spec.name}${parameterText(spec)}.`;
  const since =
    spec.since === "26.04" ? [] : [`Since cuOpt ${spec.since}: an older server ignores it. Sent only if given.`];
  const here = `Sortie: ${spec.effect === "none" ? "no effect." : spec.effect}`;
  const lines = [meaning, "", facts, ...since, here].flatMap((text) => wrapped(text, 110));
  return [
    "  /**",
    ...lines.map((line) => `   * ${line}`.trimEnd()),
    "   */",
    `  readonly ${camelCase(spec.name)}?: ${type.join(" | ")} | undefined;`,
  ].join("\n");
}

function entry(kind: Kind, spec: SettingSpec): string {
  const words = wordsOf(kind, spec);
  const parts = [`property: "${camelCase(spec.name)}"`, `name: "${spec.name}"`];
  if (spec.parameter !== undefined && spec.parameter !== spec.name) parts.push(`parameter: "${spec.parameter}"`);
  parts.push(`type: "${spec.type}"`);
  const range = rangeOf(spec);
  if (range) parts.push(`range: [${range.join(", ")}]`);
  if (Object.keys(words).length > 0) parts.push(`words: ${JSON.stringify(words)}`);
  if (isCountLimit(spec)) parts.push("infinityIs: -1");
  return `  { ${parts.join(", ")} },`;
}

/** Where the catalogue reads a number below zero as no limit. */
const isCountLimit = (spec: SettingSpec): boolean => /-1 is no limit/.test(spec.meaning);

/** The catalogue's sentence, so that it can be read without the one before. */
function meaningOf(spec: SettingSpec, before: SettingSpec | undefined): string {
  const meaning = spec.meaning.replace(
    /^The same( difference)?(?=,)/,
    before?.meaning.replace(/\.$/, "").replace(" absolute ", " ") ?? "$&",
  );
  return isCountLimit(spec) ? meaning.replace("-1 is no limit", "-1 and Infinity are no limit") : meaning;
}

/** What a client may give: the catalogue's range, and never more than the wire's integers hold. */
function rangeOf({ type, range }: SettingSpec): readonly [number, number] | undefined {
  if (type !== "int") return range;
  const [least, most] = range ?? INT32;
  return [Math.max(least, INT32[0]), Math.min(most, INT32[1])];
}

function wordsOf(kind: Kind, spec: SettingSpec): Words {
  const automatic = /-1 (is )?automatic/.test(spec.meaning) ? { automatic: -1 } : {};
  const words: Words = { ...automatic, ...WORDS[kind][spec.name] };
  const [least, most] = rangeOf(spec) ?? [-Infinity, Infinity];
  for (const [word, number] of Object.entries(words)) {
    if (number < least || number > most)
      throw new RangeError(`${spec.name}: "${word}" is ${number}, outside its range`);
  }
  return words;
}

function rangeText(range: readonly [number, number] | undefined): string {
  const [least, most] = range ?? INT32;
  return most === Infinity || most === INT32[1] ? `at least ${least}` : `${least} to ${most}`;
}

function defaultText(spec: SettingSpec, words: Words): string {
  const word = Object.entries(words).find(([, number]) => number === spec.default)?.[0];
  if (word !== undefined) return `"${word}" (${spec.default})`;
  if (isCountLimit(spec)) return "no limit";
  const small = typeof spec.default === "number" && spec.default !== 0 && Math.abs(spec.default) < 1e-3;
  return small ? Number(spec.default).toExponential() : String(spec.default);
}

const parameterText = (spec: SettingSpec): string =>
  spec.parameter === undefined || spec.parameter === spec.name ? "" : `, as a parameter ${spec.parameter}`;

const camelCase = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) as string;
    if (line.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
