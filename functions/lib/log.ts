// The functions' log: one JSON object on a line, a fixed message plus fields, never payloads or keys.

export type Fields = Readonly<Record<string, unknown>>;

export interface Log {
  info(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
}

/** Errors as data, their causes included: JSON knows none of it by itself. */
function told(value: unknown): unknown {
  if (!(value instanceof Error)) return typeof value === "bigint" ? String(value) : value;
  const { name, message, stack, cause } = value;
  return { name, message, stack, ...(cause === undefined ? {} : { cause: told(cause) }) };
}

/** @param write takes a line without its end */
export function createLog(write: (line: string) => void = (line) => process.stdout.write(`${line}\n`)): Log {
  const at = (level: string) => (fields: Fields, message: string) => {
    const own = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, told(value)]));
    write(JSON.stringify({ time: new Date().toISOString(), level, msg: message, ...own }));
  };
  return { info: at("info"), warn: at("warn"), error: at("error") };
}
