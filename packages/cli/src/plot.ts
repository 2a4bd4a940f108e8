// How a MIP's objective and bound came together, drawn with letters.
import { numberText, secondsText } from "./format.ts";

export interface Sample {
  /** Since the beginning of the solve. */
  readonly seconds: number;
  readonly value: number;
}

export interface PlotData {
  /** Objectives of incumbents, in the order of time. */
  readonly objectives: readonly Sample[];
  /** Best bounds, in the order of time. */
  readonly bounds: readonly Sample[];
  /** Where the axis of time ends; it begins with the first sample. */
  readonly seconds: number;
}

export interface PlotOptions {
  /** Columns that the lines may take. */
  readonly width: number;
  /** Lines of the field itself; two more hold the axis and the legend. Default 8. */
  readonly height?: number | undefined;
  /** False: nothing but ASCII. */
  readonly unicode: boolean;
}

const SIGNS = {
  unicode: { found: "●", stays: "─", bound: "·", side: "│", corner: "└", base: "─" },
  ascii: { found: "*", stays: "-", bound: ".", side: "|", corner: "+", base: "-" },
} as const;

/**
 * The lines of a plot, or none where there is no incumbent to draw. The scale holds all objectives and the last bound;
 * earlier bounds that lie outside of it are left out, since the first ones say little.
 */
export function plotLines({ objectives, bounds, seconds }: PlotData, options: PlotOptions): string[] {
  const height = options.height ?? 8;
  const signs = options.unicode ? SIGNS.unicode : SIGNS.ascii;
  const shown = objectives.filter(({ value }) => Number.isFinite(value));
  if (shown.length === 0) return [];
  const known = bounds.filter(({ value }) => Number.isFinite(value));
  const values = [...shown, ...known.slice(-1)].map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];

  const labels = [numberText(most), numberText(least)];
  const labelWidth = Math.max(...labels.map((label) => label.length));
  const columns = Math.max(10, options.width - labelWidth - 3);
  const rowOf = (value: number): number => {
    // All on one line where there is nothing to tell apart.
    if (most === least) return Math.floor(height / 2);
    return Math.round(((most - value) / (most - least)) * (height - 1));
  };
  const start = Math.min(...[...shown, ...known].map((sample) => sample.seconds));
  const end = Math.max(seconds, ...shown.map((sample) => sample.seconds));
  const columnOf = (at: number): number =>
    end > start ? Math.min(columns - 1, Math.floor(((at - start) / (end - start)) * columns)) : 0;

  const field = Array.from({ length: height }, () => new Array<string>(columns).fill(" "));
  const draw = (samples: readonly Sample[], first: string, rest: string) => {
    for (const [index, { seconds: at, value }] of samples.entries()) {
      const row = field[rowOf(value)];
      // Outside of the scale: an early bound.
      if (row === undefined) continue;
      const from = columnOf(at);
      const next = samples[index + 1];
      const to = next === undefined ? columns - 1 : Math.max(from, columnOf(next.seconds) - 1);
      row.fill(rest, from, to + 1);
      row[from] = first;
    }
  };
  draw(known, signs.bound, signs.bound);
  draw(shown, signs.found, signs.stays);

  const middle = rowOf(most);
  const lines = field.map((row, index) => {
    const label = index === middle ? labels[0] : index === height - 1 && most !== least ? labels[1] : "";
    return `${(label ?? "").padStart(labelWidth)} ${signs.side}${row.join("")}`.trimEnd();
  });
  const margin = " ".repeat(labelWidth + 1);
  const [first, last] = [secondsText(start), secondsText(end)];
  const signsText = `${first}   ${signs.found} incumbent${known.length > 0 ? `   ${signs.bound} bound` : ""}`;
  const legend = signsText.length + 2 + last.length <= columns ? signsText : first;
  return [
    ...lines,
    `${margin}${signs.corner}${signs.base.repeat(columns)}`,
    `${margin} ${legend.padEnd(columns - last.length)}${last}`,
  ];
}

/** Whether what is printed here is read as UTF-8. */
export function takesUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return process.platform === "win32" || /utf-?8/i.test(locale);
}
