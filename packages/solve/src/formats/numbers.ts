// Decimal numbers read straight from bytes.

/** Powers of ten that are exact as doubles. */
const exactPowers = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** Beyond this one more decimal digit might not fit into the 53 bits of a double. */
const largestExtensible = (2 ** 53 - 10) / 10;

/**
 * The number written in `bytes[start, end)` in C syntax (decimal; "inf" and "infinity" in any case included), correctly
 * rounded; NaN if it is none. The text "nan" is not a number here.
 *
 * A significand below 2⁵³ and a power of ten up to 10²² are both exact, so one multiplication or division rounds
 * correctly (Clinger, "How to read floating point numbers accurately", 1990); the rest is left to the language.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const sign = bytes[at];
  if (sign === 0x2b || sign === 0x2d) at++;

  let significand = 0;
  let exponent = 0;
  let digits = 0;
  let exact = true;
  let seenPoint = false;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x30 && byte <= 0x39) {
      digits++;
      if (significand > largestExtensible) exact = false;
      else significand = 10 * significand + (byte - 0x30);
      if (seenPoint) exponent--;
    } else if (byte === 0x2e && !seenPoint) {
      seenPoint = true;
    } else {
      break;
    }
  }
  if (digits === 0) return seenPoint ? Number.NaN : parseInfinity(bytes, start, end);

  if (at < end) {
    if (((bytes[at] as number) | 0x20) !== 0x65) return Number.NaN;
    at++;
    let exponentSign = 1;
    if (bytes[at] === 0x2d || bytes[at] === 0x2b) {
      if (bytes[at] === 0x2d) exponentSign = -1;
      at++;
    }
    if (at >= end) return Number.NaN;
    let written = 0;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte < 0x30 || byte > 0x39) return Number.NaN;
      written = Math.min(1e6, 10 * written + (byte - 0x30));
    }
    exponent += exponentSign * written;
  }

  if (!exact || exponent < -22 || exponent > 22) return Number(ascii(bytes, start, end));
  const magnitude =
    exponent < 0 ? significand / (exactPowers[-exponent] as number) : significand * (exactPowers[exponent] as number);
  return sign === 0x2d ? -magnitude : magnitude;
}

function parseInfinity(bytes: Uint8Array, start: number, end: number): number {
  const found = /^([+-]?)inf(?:inity)?$/i.exec(ascii(bytes, start, end));
  if (found === null) return Number.NaN;
  return found[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}
