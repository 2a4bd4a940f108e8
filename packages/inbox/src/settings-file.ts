// The settings that lie beside a model: one JSON object, by the names of docs/settings.md.
import { nearest } from "@sortie/core";
import {
  changeSettings,
  defaultSettings,
  type ProblemKind,
  type SettingSpec,
  type SettingValue,
  type SolveSettings,
  settingsCatalogue,
  ValidationError,
} from "@sortie/solve";

const namesOf = (kind: ProblemKind): string[] =>
  settingsCatalogue[kind].flatMap(({ name, parameter }) => (parameter === undefined ? [name] : [parameter, name]));

const specOf = (kind: ProblemKind, name: string): SettingSpec | undefined =>
  settingsCatalogue[kind].find((spec) => spec.parameter === name) ??
  settingsCatalogue[kind].find((spec) => spec.name === name);

/**
 * Reads a settings file.
 * @param file its name, for the words of a fault
 * @throws ValidationError that names the file and every setting that is wrong, with the nearest name where one is unknown
 */
export function readSettingsFile(kind: ProblemKind, file: string, text: string): SolveSettings {
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new ValidationError(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new ValidationError(`${file} must hold one JSON object, such as {"time_limit": 60}`);
  }
  const changes = new Map<string, SettingValue | string>();
  const faults: string[] = [];
  for (const [name, value] of Object.entries(content)) {
    const fault = faultOf(kind, name, value);
    if (fault === undefined) changes.set(name, value);
    else faults.push(fault);
  }
  if (faults.length === 0) {
    try {
      return changeSettings(defaultSettings(kind), changes);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      faults.push(error.message);
    }
  }
  throw new ValidationError(`${file}: ${faults.join("; ")}`);
}

function faultOf(kind: ProblemKind, name: string, value: unknown): string | undefined {
  const spec = specOf(kind, name);
  if (!spec) return unknownName(kind, name);
  // Text is read as on the command line.
  if (typeof value === "string") return undefined;
  if (spec.type === "bool") {
    return typeof value === "boolean"
      ? undefined
      : `setting ${name} is ${JSON.stringify(value)}; true or false is expected`;
  }
  const fits = typeof value === "number" && (spec.type === "double" || Number.isInteger(value));
  const wanted = spec.type === "int" ? "a whole number" : "a number";
  return fits ? undefined : `setting ${name} is ${JSON.stringify(value)}; ${wanted} is expected`;
}

function unknownName(kind: ProblemKind, name: string): string {
  const other = kind === "lp" ? "mip" : "lp";
  const words = { lp: "an LP", mip: "a MIP" };
  if (specOf(other, name)) return `setting ${name} belongs to ${words[other]}, and the model is ${words[kind]}`;
  const meant = nearest(name, namesOf(kind), 4);
  return `setting ${JSON.stringify(name)} is unknown for ${words[kind]}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}
