// Public face: the problem model, settings, formats, checks and engines.
export * from "./check.ts";
export * from "./engine.ts";
export { createHighsEngine, type HighsEngineOptions } from "./engines/highs.ts";
export * from "./formats/index.ts";
export * from "./infeasible-subset.ts";
export * from "./inspect.ts";
export * from "./model/index.ts";
export * from "./problem.ts";
export {
  type AbsentMeans,
  changeSettings,
  defaultSettings,
  flagOf,
  numberOf,
  resolveSettings,
  type SettingSpec,
  type SettingsJson,
  type SettingValue,
  type SolveSettings,
  settingsCatalogue,
  settingsFromJson,
  settingsToJson,
  settingsWithoutEffect,
} from "./settings.ts";
export * from "./task.ts";
