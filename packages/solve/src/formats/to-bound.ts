// Infinity as the file formats understand it.

/** From here on a bound or right-hand side counts as infinite, as is usual for MPS and LP files. */
export const infinityFrom = 1e20;

export const toBound = (value: number): number =>
  value >= infinityFrom ? Number.POSITIVE_INFINITY : value <= -infinityFrom ? Number.NEGATIVE_INFINITY : value;
