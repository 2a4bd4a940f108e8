// `sortie logs ID`: the log of a job, as far as there is one or until the job has ended.
import type { LogLine, SortieClient } from "@sortie/client";
import type { OptionTable } from "../command.ts";
import { EXIT_DONE } from "../exit-codes.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, oneId, openClient, wholeNumberOf } from "../job-client.ts";
import { jsonLine } from "../json.ts";
import { parseOptions } from "../options.ts";
import { runCommand } from "../run-command.ts";

const HELP = `usage: sortie logs ID [OPTION ...]

Prints the log of a job. Ctrl-C leaves; the job goes on.

  -f, --follow         go on until the job has ended; a connection that breaks is taken up where it broke
  --from BYTE          begin here: the byteOffset of the last line that was seen (default 0)
${CLIENT_OPTIONS_HELP}  --json               one line of JSON for each line: text, and byteOffset, the position after it

Without --follow, a server that is not Sortie does not say where its log ends for now: it is left once nothing has come for
a second.

Exit codes: 0 printed; 1 a fault in the options or on the way to the server; 5 the server does not know the job; 130
interrupted.
`;

export const OPTIONS = {
  ...CLIENT_OPTIONS,
  follow: { type: "boolean", short: "f" },
  from: { type: "string" },
} as const satisfies OptionTable;

/** How long a log that does not tell its end must be silent, milliseconds. */
const QUIET_MS = 1000;

export function logs(args: readonly string[]): Promise<number> {
  return runCommand(
    args,
    HELP,
    async (signal) => {
      const { values, positionals } = await parseOptions("logs", args, OPTIONS);
      const from = wholeNumberOf("from", values.from) ?? 0;
      const id = oneId("logs", positionals);
      await using client = await openClient("logs", values, signal);
      const lines = values.follow ? client.logs(id, { from, signal, repeat: true }) : present(client, id, from, signal);
      for await (const { text, byteOffset } of lines) {
        process.stdout.write(values.json ? jsonLine({ text, byteOffset }) : `${text}\n`);
      }
      return EXIT_DONE;
    },
    "left; the job goes on",
  );
}

/** What there is now. */
async function* present(
  client: SortieClient,
  id: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<LogLine, void, undefined> {
  if (!client.server?.isSortie) {
    yield* untilQuiet(client, id, from, signal);
    return;
  }
  const end = Number((await client.job(id, { signal })).logBytes);
  if (from >= end) return;
  for await (const line of client.logs(id, { from, signal })) {
    yield line;
    if (line.byteOffset >= end) return;
  }
}

async function* untilQuiet(
  client: SortieClient,
  id: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<LogLine, void, undefined> {
  const quiet = new AbortController();
  const timer = setTimeout(() => quiet.abort(), QUIET_MS);
  try {
    for await (const line of client.logs(id, { from, signal: AbortSignal.any([signal, quiet.signal]) })) {
      timer.refresh();
      yield line;
    }
  } catch (error) {
    if (!quiet.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}
