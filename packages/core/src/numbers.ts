// Floating-point numbers in rows. A table holds finite numbers only, and JSON forgets the sign of zero.
import type { Value } from "./ports.ts";

/** A float64 as a row can hold it: itself, or one of "NaN", "Infinity", "-Infinity", "-0". */
export function encodeFloat(value: number): number | string {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** The inverse of `encodeFloat`; undefined where nothing was stored. */
export function decodeFloat(value: Value | undefined): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" ? Number(value) : undefined;
}
