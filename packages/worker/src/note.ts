// A worker's log: one event per line on standard error, never payloads.

/** @param error what went wrong, with its stack; its causes' messages are kept */
export function note(message: string, error?: unknown, facts: Readonly<Record<string, unknown>> = {}): void {
  const line = { time: Date.now(), pid: process.pid, msg: message, ...facts, ...fault(error) };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

function fault(error: unknown): Readonly<Record<string, unknown>> {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { error };
  const cause = error.cause instanceof Error ? { cause: error.cause.message } : {};
  return { error: error.message, ...cause, stack: error.stack };
}
