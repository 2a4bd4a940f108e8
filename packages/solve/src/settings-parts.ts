// Building blocks of the settings catalogue: kinds of setting that occur many times, and the documented clamps.
import type { SettingSpec } from "./settings.ts";

const largestInt = 2 ** 31 - 1;

/** A limit that counts: negative is "no limit", and so is anything an int32 cannot hold. */
export function noLimit(value: number): number {
  return value < 0 ? largestInt : Math.min(value, largestInt);
}

/** Values outside the range are read as `otherwise`. */
export function outsideIs(range: readonly [number, number], otherwise: number): (value: number) => number {
  return (value) => (value < range[0] || value > range[1] ? otherwise : value);
}

/** A tolerance between 0 and 0.1 whose wire and parameter names are one. */
export function tolerance(
  number: number,
  name: string,
  standard: number,
  effect: string,
  meaning: string,
  parameter: string | undefined = name,
): SettingSpec {
  return {
    number,
    name,
    parameter,
    type: "double",
    default: standard,
    since: "26.04",
    range: [0, 0.1],
    effect,
    meaning,
  };
}

/** A switch of 26.04 that is -1 (automatic), 0 or 1 and has no effect here. */
export function automatic(number: number, name: string, meaning: string, parameter = name): SettingSpec {
  return {
    number,
    name,
    parameter,
    type: "int",
    default: -1,
    since: "26.04",
    range: [-1, 1],
    effect: "none",
    meaning,
  };
}

/** A parameter of the heuristics of 26.06, none of which HiGHS has. */
export function heuristic(
  number: number,
  name: string,
  type: "int" | "double",
  standard: number,
  meaning: string,
): SettingSpec {
  return {
    number,
    name,
    parameter: `mip_hyper_heuristic_${name}`,
    type,
    default: standard,
    since: "26.06",
    effect: "none",
    meaning,
  };
}
