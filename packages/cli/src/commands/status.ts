// `sortie status ID…`: where jobs stand.
import { coloured } from "../colours.ts";
import type { OptionTable } from "../command.ts";
import { EXIT_DONE, EXIT_JOB_UNKNOWN } from "../exit-codes.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, idsOf, jobFacts, openClient } from "../job-client.ts";
import { jsonLine } from "../json.ts";
import { parseOptions } from "../options.ts";
import { runCommand, worstOf } from "../run-command.ts";

const HELP = `usage: sortie status ID ... [OPTION ...]

Tells where jobs stand. "-" stands for ids on standard input.

${CLIENT_OPTIONS_HELP}  --json               one line of JSON for each job; an unknown one has the state "not-found"

Exit codes: 0 all were told, whatever their states; 1 a fault in the options or on the way to the server; 5 the server does
not know one of them; 130 interrupted.
`;

export const OPTIONS = CLIENT_OPTIONS satisfies OptionTable;

export function status(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async (signal) => {
    const { values, positionals } = await parseOptions("status", args, OPTIONS);
    const ids = await idsOf("status", positionals);
    await using client = await openClient("status", values, signal);
    const codes: number[] = [];
    for (const id of ids) {
      const facts = await jobFacts(client, id, signal);
      if (values.json) process.stdout.write(jsonLine(facts.json));
      else {
        const lines = facts.lines.map((line) => `  ${line}\n`).join("");
        process.stdout.write(`${id}  ${coloured(facts.state)}\n${lines}`);
      }
      codes.push(facts.state === "not-found" ? EXIT_JOB_UNKNOWN : EXIT_DONE);
    }
    return worstOf(codes);
  });
}
