// How the command line writes numbers, sizes, rates and times.

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** "112.3 kB" */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** "12.3 s" */
export const secondsText = (seconds: number): string => `${seconds.toFixed(1)} s`;

/** A time that is still to wait: "8 s", "3 min 20 s", "2 h 5 min". */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Up to ten significant digits, without trailing zeros: "2810", "-464.7531429". "-" where there is no number. */
export function numberText(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "-";
  return Number.isFinite(value) ? String(Number(value.toPrecision(10))) : value > 0 ? "inf" : "-inf";
}

/** "3.25 %" */
export function gapText(gap: number | undefined): string {
  if (gap === undefined || !Number.isFinite(gap)) return "-";
  return `${(gap * 100).toFixed(gap < 0.001 ? 4 : 2)} %`;
}
