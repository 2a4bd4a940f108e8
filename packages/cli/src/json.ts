// What `--json` prints: one document, or one line for each entry of a feed.
//
// Names are those of the wire in camel case, times are ISO 8601 in UTC, sizes are bytes, durations are seconds. A field that is
// not known is left out. Numbers that JSON does not have (NaN, infinities) are null.

/** One line, with its end. */
export const jsonLine = (value: unknown): string => `${JSON.stringify(value, plain)}\n`;

/** A document for people to look at as well, with its end. */
export const jsonDocument = (value: unknown): string => `${JSON.stringify(value, plain, 2)}\n`;

function plain(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Float64Array) return [...value];
  return value;
}
