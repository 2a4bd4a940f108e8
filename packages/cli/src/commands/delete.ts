// `sortie delete ID…`: removes jobs with all that belongs to them.
import { coloured } from "../colours.ts";
import type { OptionTable } from "../command.ts";
import { EXIT_DONE, EXIT_JOB_UNKNOWN } from "../exit-codes.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, idsOf, openClient } from "../job-client.ts";
import { jsonLine } from "../json.ts";
import { parseOptions } from "../options.ts";
import { runCommand, worstOf } from "../run-command.ts";

const HELP = `usage: sortie delete ID ... [OPTION ...]

Removes jobs with their results, logs and incumbents. One that runs is stopped. "-" stands for ids on standard input.

${CLIENT_OPTIONS_HELP}  --json               one line of JSON for each job: id, deleted, message

Exit codes: 0 all are gone; 1 a fault in the options or on the way to the server; 5 the server did not know one of them; 130
interrupted.
`;

export const OPTIONS = CLIENT_OPTIONS satisfies OptionTable;

export function deleteJobs(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async (signal) => {
    const { values, positionals } = await parseOptions("delete", args, OPTIONS);
    const ids = await idsOf("delete", positionals);
    await using client = await openClient("delete", values, signal);
    const codes: number[] = [];
    for (const id of ids) {
      const report = await client.delete(id, { signal });
      if (values.json) process.stdout.write(jsonLine({ id, ...report }));
      else process.stdout.write(`${id}  ${report.deleted ? "deleted" : coloured("not-found")}\n`);
      codes.push(report.deleted ? EXIT_DONE : EXIT_JOB_UNKNOWN);
    }
    return worstOf(codes);
  });
}
