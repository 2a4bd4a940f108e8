// Statistics of an array that suffice to validate a model: computed per chunk on arrival, folded when the upload ends.

/** A number that survives JSON: what JSON cannot write is text. */
export type StatNumber = number | "Infinity" | "-Infinity" | "NaN";

/**
 * What validation needs to know about one array or one slice of it; plain data, safe to store as JSON. Indices count
 * elements from the start of the array or slice. Fields that would have no meaning (of an empty array, of an array
 * without the fault they locate) are left out.
 */
export interface ArrayStats {
  readonly count: number;
  /** How many elements are NaN. */
  readonly nan: number;
  readonly firstNan?: number;
  /** Least element that is not NaN, and where it stands first. */
  readonly min?: StatNumber;
  readonly argmin?: number;
  /** Greatest element that is not NaN, and where it stands first. */
  readonly max?: StatNumber;
  readonly argmax?: number;
  readonly first?: StatNumber;
  readonly last?: StatNumber;
  /** No element is less than the one before it (NaN is never in order). */
  readonly ascending: boolean;
  /** The first element that is less than the one before it. */
  readonly firstDescent?: number;
  /** Byte arrays only: the first element that is not the ASCII letter E, L or G. */
  readonly firstBadRowType?: { readonly index: number; readonly byte: number };
}

/** The statistics of a slice and where the slice begins in its array. */
export interface StatsPart {
  readonly elementOffset: number;
  readonly stats: ArrayStats;
}

export function toStatNumber(value: number): StatNumber {
  // JSON forgets the sign of a zero, so it is forgotten here already.
  if (Number.isFinite(value)) return value + 0;
  return String(value) as StatNumber;
}

export function fromStatNumber(value: StatNumber): number {
  return Number(value);
}

/** One pass over the elements, and a second one that ends at the first descent. */
export function arrayStats(array: Float64Array | Int32Array | Uint8Array): ArrayStats {
  const count = array.length;
  if (count === 0) return { count: 0, nan: 0, ascending: true };
  const extremes = array instanceof Float64Array ? floatExtremes(array) : integerExtremes(array);
  const firstDescent = findDescent(array);
  const firstBadRowType = array instanceof Uint8Array ? findBadRowType(array) : undefined;
  return {
    count,
    ...extremes,
    first: toStatNumber(array[0] as number),
    last: toStatNumber(array[count - 1] as number),
    ascending: firstDescent === undefined,
    ...(firstDescent !== undefined && { firstDescent }),
    ...(firstBadRowType !== undefined && { firstBadRowType }),
  };
}

type Extremes = Pick<ArrayStats, "nan" | "firstNan" | "min" | "argmin" | "max" | "argmax">;

// The two loops are kept apart, each over one array class, so that the compiler specializes them.
function floatExtremes(array: Float64Array): Extremes {
  let nan = 0;
  let firstNan = -1;
  let argmin = -1;
  let argmax = -1;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < array.length; i++) {
    const value = array[i] as number;
    if (value < min) {
      min = value;
      argmin = i;
    }
    if (value > max) {
      max = value;
      argmax = i;
    }
    if (Number.isNaN(value)) {
      if (nan++ === 0) firstNan = i;
    }
  }
  if (nan === array.length) return { nan, firstNan };
  // An array of +Infinity alone never falls below the starting value of `min` (and likewise for `max`).
  if (argmin < 0) argmin = array.indexOf(min);
  if (argmax < 0) argmax = array.indexOf(max);
  return {
    nan,
    ...(nan > 0 && { firstNan }),
    min: toStatNumber(min),
    argmin,
    max: toStatNumber(max),
    argmax,
  };
}

function integerExtremes(array: Int32Array | Uint8Array): Extremes {
  let argmin = 0;
  let argmax = 0;
  let min = array[0] as number;
  let max = min;
  for (let i = 1; i < array.length; i++) {
    const value = array[i] as number;
    if (value < min) {
      min = value;
      argmin = i;
    } else if (value > max) {
      max = value;
      argmax = i;
    }
  }
  return { nan: 0, min, argmin, max, argmax };
}

function findDescent(array: Float64Array | Int32Array | Uint8Array): number | undefined {
  let previous = array[0] as number;
  for (let i = 1; i < array.length; i++) {
    const value = array[i] as number;
    if (!(value >= previous)) return i;
    previous = value;
  }
  return undefined;
}

function findBadRowType(array: Uint8Array): ArrayStats["firstBadRowType"] {
  for (let index = 0; index < array.length; index++) {
    const byte = array[index] as number;
    if (byte !== 0x45 && byte !== 0x4c && byte !== 0x47) return { index, byte };
  }
  return undefined;
}

/**
 * The statistics of a whole array from those of its slices, exactly as if computed in one go.
 * @param parts in ascending order, each beginning where the one before ends
 * @throws RangeError if the parts leave a hole or overlap
 */
export function mergeStats(parts: readonly StatsPart[]): ArrayStats {
  let merged: ArrayStats = { count: 0, nan: 0, ascending: true };
  for (const { elementOffset, stats } of parts) {
    if (elementOffset !== merged.count) {
      throw new RangeError(`statistics of element ${elementOffset} follow those of element ${merged.count}`);
    }
    if (stats.count > 0) merged = merged.count === 0 ? stats : append(merged, stats);
  }
  return merged;
}

function append(a: ArrayStats, b: ArrayStats): ArrayStats {
  const shift = a.count;
  const firstNan = a.firstNan ?? shifted(b.firstNan, shift);
  const low = lesser(a, b);
  const high = greater(a, b);
  const inOrderAcross = number(b.first) >= number(a.last);
  const firstDescent = a.firstDescent ?? (inOrderAcross ? shifted(b.firstDescent, shift) : shift);
  const bad = a.firstBadRowType ?? b.firstBadRowType;
  return {
    count: shift + b.count,
    nan: a.nan + b.nan,
    ...(firstNan !== undefined && { firstNan }),
    ...low,
    ...high,
    ...(a.first !== undefined && { first: a.first }),
    ...(b.last !== undefined && { last: b.last }),
    ascending: firstDescent === undefined,
    ...(firstDescent !== undefined && { firstDescent }),
    ...(bad !== undefined && {
      firstBadRowType: bad === a.firstBadRowType ? bad : { index: bad.index + shift, byte: bad.byte },
    }),
  };
}

function lesser(a: ArrayStats, b: ArrayStats): Pick<ArrayStats, "min" | "argmin"> {
  const fromB = { min: b.min, argmin: shifted(b.argmin, a.count) };
  if (a.min === undefined) return defined(fromB);
  if (b.min === undefined || number(a.min) <= number(b.min)) return defined({ min: a.min, argmin: a.argmin });
  return defined(fromB);
}

function greater(a: ArrayStats, b: ArrayStats): Pick<ArrayStats, "max" | "argmax"> {
  const fromB = { max: b.max, argmax: shifted(b.argmax, a.count) };
  if (a.max === undefined) return defined(fromB);
  if (b.max === undefined || number(a.max) >= number(b.max)) return defined({ max: a.max, argmax: a.argmax });
  return defined(fromB);
}

const number = (value: StatNumber | undefined): number => (value === undefined ? Number.NaN : Number(value));

const shifted = (index: number | undefined, by: number): number | undefined =>
  index === undefined ? undefined : index + by;

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
