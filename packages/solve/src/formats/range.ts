// The RANGES section of MPS says the second bound of a row by its distance from the first.

export interface Range {
  readonly type: "L" | "G";
  readonly side: number;
  /** The distance, as text. */
  readonly range: string;
}

/**
 * The row type, right-hand side and range from which a reader computes just these bounds, lower < upper or of different
 * sign of zero.
 *
 * A double for the distance mostly does, from one of the two sides. Where none does, the distance is written in all its
 * digits: a reader that adds before it rounds gets the bound (`addRange`), others one that differs in the last digit.
 */
export function exactRange(lower: number, upper: number): Range {
  const distance = upper - lower;
  for (const range of [distance, neighbour(distance, 1), neighbour(distance, -1)]) {
    if (!Number.isFinite(range) || range < 0) continue;
    if (Object.is(lower + range, upper)) return { type: "G", side: lower, range: String(range) };
    if (Object.is(upper - range, lower)) return { type: "L", side: upper, range: String(range) };
  }
  return { type: "G", side: lower, range: exactDistance(lower, upper) };
}

/** The next double above or below. */
function neighbour(value: number, step: 1 | -1): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + BigInt(step));
  return view.getFloat64(0);
}

/** As many decimals mark a distance that is to be added before it is rounded: more than any double is printed with. */
const manyDecimals = 30;
const exactPattern = /^[+-]?\d{1,320}\.\d{30,1100}$/;

/** Whether a range is written with more digits than a double can hold. */
export const isExactRange = (text: string): boolean => exactPattern.test(text);

/** side ± the distance in decimal text, rounded once. */
export function addRange(side: number, text: string, sign: 1 | -1): number {
  const a = fraction(side);
  const b = decimal(text);
  const shift = Math.max(a.binary, b.binary);
  const tens = Math.max(a.tens, b.tens);
  const scale = (x: Fraction): bigint => x.digits * 2n ** BigInt(shift - x.binary) * 10n ** BigInt(tens - x.tens);
  return nearest(scale(a) + BigInt(sign) * scale(b), 2n ** BigInt(shift) * 10n ** BigInt(tens));
}

/** digits / (2^binary · 10^tens) */
interface Fraction {
  readonly digits: bigint;
  readonly binary: number;
  readonly tens: number;
}

function fraction(value: number): Fraction {
  let binary = 0;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    // Exact: a power of two.
    const step = Math.abs(scaled) < 2 ** -500 ? 500 : 1;
    scaled *= 2 ** step;
    binary += step;
  }
  return { digits: BigInt(scaled), binary, tens: 0 };
}

/** Of a text that `isExactRange` accepts. */
function decimal(text: string): Fraction {
  const [whole = "", part = ""] = text.split(".");
  return { digits: BigInt(`${whole}${part}`.replace("+", "")), binary: 0, tens: part.length };
}

/** upper − lower in decimal, exactly. */
function exactDistance(lower: number, upper: number): string {
  const [a, b] = [fraction(lower), fraction(upper)];
  const binary = Math.max(a.binary, b.binary);
  const difference = b.digits * 2n ** BigInt(binary - b.binary) - a.digits * 2n ** BigInt(binary - a.binary);
  // A fraction of 2^binary has as many decimals.
  const digits = (difference * 5n ** BigInt(binary)).toString().padStart(binary + 1, "0");
  const whole = digits.slice(0, digits.length - binary);
  const part = digits.slice(digits.length - binary);
  return `${whole}.${part.padEnd(manyDecimals, "0")}`;
}

/** The double nearest to a quotient; ties to even. */
function nearest(numerator: bigint, denominator: bigint): number {
  if (numerator === 0n) return 0;
  const negative = numerator < 0n;
  const n = negative ? -numerator : numerator;
  const bits = n.toString(2).length - denominator.toString(2).length;
  // 55 or 56 bits of the quotient, the last one sticky; not more than the last place of the smallest doubles.
  const shift = Math.min(55 - bits, 1074 + 2);
  const [up, down] = shift >= 0 ? [n << BigInt(shift), denominator] : [n, denominator << BigInt(-shift)];
  const quotient = up / down;
  let extra = 0n;
  let kept = quotient;
  const length = quotient.toString(2).length;
  // How many of the bits a double of this size does not have.
  const drop = Math.max(length - 53, shift - 1074, 0);
  if (drop > 0) {
    const rest = quotient & ((1n << BigInt(drop)) - 1n);
    const half = 1n << BigInt(drop - 1);
    kept = quotient >> BigInt(drop);
    if (rest > half || (rest === half && (up % down !== 0n || (kept & 1n) === 1n))) extra = 1n;
  }
  const exponent = drop - shift;
  const magnitude = Number(kept + extra);
  // In two steps, since 2^-1074 alone may be too small a factor for the first.
  const value = exponent < -1000 ? magnitude * 2 ** -1000 * 2 ** (exponent + 1000) : magnitude * 2 ** exponent;
  return negative ? -value : value;
}
