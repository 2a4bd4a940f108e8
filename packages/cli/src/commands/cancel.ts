// `sortie cancel ID…`: stops jobs; what they have found stays.
import { coloured } from "../colours.ts";
import type { OptionTable } from "../command.ts";
import { EXIT_DONE, EXIT_FAULT, EXIT_JOB_UNKNOWN } from "../exit-codes.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, idsOf, openClient } from "../job-client.ts";
import { jsonLine } from "../json.ts";
import { parseOptions } from "../options.ts";
import { runCommand, worstOf } from "../run-command.ts";

const HELP = `usage: sortie cancel ID ... [OPTION ...]

Stops jobs. Their logs and incumbents stay until they are deleted or expire. "-" stands for ids on standard input.

${CLIENT_OPTIONS_HELP}  --json               one line of JSON for each job: id, cancelled, state, message

Exit codes: 0 all are cancelled, now or before; 1 one had ended by itself, or a fault in the options or on the way to the
server; 5 the server does not know one of them; 130 interrupted.
`;

export const OPTIONS = CLIENT_OPTIONS satisfies OptionTable;

export function cancel(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async (signal) => {
    const { values, positionals } = await parseOptions("cancel", args, OPTIONS);
    const ids = await idsOf("cancel", positionals);
    await using client = await openClient("cancel", values, signal);
    const codes: number[] = [];
    for (const id of ids) {
      const report = await client.cancel(id, { signal });
      const { cancelled, state, message } = report;
      if (values.json) process.stdout.write(jsonLine({ id, ...report }));
      else process.stdout.write(`${id}  ${coloured(state)}${cancelled ? "" : `  ${message}`}\n`);
      codes.push(cancelled ? EXIT_DONE : state === "not-found" ? EXIT_JOB_UNKNOWN : EXIT_FAULT);
    }
    return worstOf(codes);
  });
}
