// The solver settings as options of the command line: every one by cuOpt's parameter name, hyphens for underscores, and by its
// name on the wire with --set. Parameter files say the same in lines.
import {
  changeSettings,
  defaultSettings,
  type ProblemKind,
  type SettingSpec,
  type SolveSettings,
  settingsCatalogue,
  ValidationError,
} from "@sortie/solve";
import { UsageError } from "./connect.ts";

/** One setting that a user gave, as text. */
export interface GivenSetting {
  readonly name: string;
  readonly text: string;
  /** Where it was given, for the words of a fault: "--set time_limit=x", "params.txt line 3". */
  readonly where: string;
  /** Whether to say so when it has no meaning for a model: not for a file, which lists those of all kinds. */
  readonly isDeliberate: boolean;
}

const KINDS = ["lp", "mip"] as const satisfies readonly ProblemKind[];

/** Words for numbers, by parameter. */
const WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  presolve: { default: "-1", automatic: "-1", off: "0", papilo: "1", pslp: "2" },
  pdlp_precision: { default: "-1", single: "0", double: "1", mixed: "2" },
};

/** The name that a setting goes by on the command line. */
export const parameterName = ({ parameter, name }: SettingSpec): string => parameter ?? name;

const hyphenated = (name: string): string => name.replaceAll("_", "-");

/** Of all kinds of models, by parameter name. */
const parameters: ReadonlyMap<string, SettingSpec> = new Map(
  KINDS.flatMap((kind) => settingsCatalogue[kind]).map((spec) => [parameterName(spec), spec]),
);

/** Every solver setting as an option with a value: "mip-relative-gap" for mip_relative_gap. */
export const PARAMETER_OPTIONS: Readonly<Record<string, { readonly type: "string" }>> = Object.fromEntries(
  [...parameters.keys()].map((name) => [hyphenated(name), { type: "string" }]),
);

/** Every name by which --set takes a setting, for completion and hints. */
export const settingNames = (): string[] => [
  ...new Set(KINDS.flatMap((kind) => settingsCatalogue[kind]).flatMap((spec) => [parameterName(spec), spec.name])),
];

/** The option that stands for a setting by its name on the wire: "seed" → "random-seed". */
export function optionOfWireName(name: string): string | undefined {
  const wire = name.replaceAll("-", "_");
  const spec = KINDS.flatMap((kind) => settingsCatalogue[kind]).find((each) => each.name === wire);
  return spec && hyphenated(parameterName(spec));
}

/** The settings among the values of options. */
export function settingsOfOptions(values: Readonly<Record<string, unknown>>): GivenSetting[] {
  const given: GivenSetting[] = [];
  for (const name of parameters.keys()) {
    const text = values[hyphenated(name)];
    if (typeof text === "string") given.push({ name, text, where: `--${hyphenated(name)}`, isDeliberate: true });
  }
  return given;
}

/** @param pair what was behind --set: "time_limit=60" */
export function settingOfPair(pair: string): GivenSetting {
  const at = pair.indexOf("=");
  if (at <= 0) throw new UsageError(`--set ${pair}: expected NAME=VALUE`);
  return {
    name: pair.slice(0, at).trim(),
    text: pair.slice(at + 1).trim(),
    where: `--set ${pair}`,
    isDeliberate: true,
  };
}

/**
 * Reads a parameter file: a line `name = value` for each setting, `#` begins a comment, values may be in quotes.
 * @param file its name, for the words of a fault
 * @throws UsageError naming file and line
 */
export function readParameters(text: string, file: string): GivenSetting[] {
  const given: GivenSetting[] = [];
  for (const [index, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const where = `${file} line ${index + 1}`;
    const { name, value } =
      /^\s*(?<name>[^=#\s]+)\s*=\s*(?<value>"[^"]*"|'[^']*'|[^#]*?)\s*(?:#.*)?$/.exec(line)?.groups ?? {};
    if (name === undefined || value === undefined) {
      if (/^\s*(#.*)?$/.test(line)) continue;
      throw new UsageError(`${where}: found ${JSON.stringify(line.trim())}; expected NAME = VALUE`);
    }
    const bare = /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
    if (bare === "") throw new UsageError(`${where}: ${name} has no value`);
    given.push({ name, text: bare, where, isDeliberate: false });
  }
  return given;
}

export interface ChosenSettings {
  readonly settings: SolveSettings;
  /** What was given and has no meaning for this kind of model. */
  readonly leftOut: readonly GivenSetting[];
}

/**
 * The settings of a solve. A later one takes the place of an earlier one of the same name. Those that only the other kind of
 * model has are checked and left out.
 * @throws UsageError for a name that is unknown, with the nearest one, and for a value of the wrong type or out of range
 */
export async function settingsOf(kind: ProblemKind, given: readonly GivenSetting[]): Promise<ChosenSettings> {
  const chosen = new Map<string, string>();
  const leftOut: GivenSetting[] = [];
  for (const setting of given) {
    const name = setting.name.replaceAll("-", "_");
    const other = kind === "lp" ? "mip" : "lp";
    const home = specOf(kind, name) ? kind : other;
    const spec = specOf(home, name);
    if (spec === undefined) throw await unknownSetting(setting);
    const text = WORDS[parameterName(spec)]?.[setting.text.toLowerCase()] ?? setting.text;
    const change = new Map([[name, text]]);
    try {
      changeSettings(defaultSettings(home), change);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      throw new UsageError(`${setting.where}: ${error.message}${wordsText(spec)}`);
    }
    if (home !== kind) leftOut.push(setting);
    // By its name on the wire, so that two names of one setting are one.
    else chosen.set(parameterName(spec), text);
  }
  return { settings: changeSettings(defaultSettings(kind), chosen), leftOut };
}

const specOf = (kind: ProblemKind, name: string): SettingSpec | undefined =>
  settingsCatalogue[kind].find((spec) => spec.parameter === name) ??
  settingsCatalogue[kind].find((spec) => spec.name === name);

const wordsText = (spec: SettingSpec): string => {
  const words = WORDS[parameterName(spec)];
  return words === undefined ? "" : `, or one of the words ${Object.keys(words).join(", ")}`;
};

async function unknownSetting({ name, where }: GivenSetting): Promise<UsageError> {
  const { nearest } = await import("@sortie/server");
  const meant = nearest(name, settingNames(), 4);
  return new UsageError(
    `${where}: setting ${name} is unknown${meant === undefined ? " (docs/settings.md lists them)" : `; did you mean ${meant}?`}`,
  );
}

const isHeuristic = (name: string): boolean => name.startsWith("mip_hyper_");

/**
 * The lines of a parameter file with every setting as a solve would have it; `readParameters` reads them back.
 * @param which the settings of MIP heuristics, or all the others
 */
export function* parameterLines(
  chosen: Readonly<Record<ProblemKind, SolveSettings>>,
  which: "parameters" | "hyper-parameters",
): Generator<string> {
  for (const [name, { meaning }] of parameters) {
    if (isHeuristic(name) !== (which === "hyper-parameters")) continue;
    // A setting that both kinds have was given for both.
    const kind = specOf("lp", name) ? "lp" : "mip";
    const spec = specOf(kind, name) as SettingSpec;
    const value = chosen[kind].changed.includes(spec.name) ? chosen[kind].values[spec.name] : spec.default;
    yield `# ${meaning}\n`;
    yield `${name} = ${value === Infinity ? "inf" : value === -Infinity ? "-inf" : value}\n`;
  }
}
