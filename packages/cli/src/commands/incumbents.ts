// `sortie incumbents ID`: the feasible solutions that a job has found, each better than the one before.
import type { Incumbent, SortieClient } from "@sortie/client";
import type { OptionTable } from "../command.ts";
import { EXIT_DONE } from "../exit-codes.ts";
import { numberText } from "../format.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, oneId, openClient, wholeNumberOf } from "../job-client.ts";
import { jsonLine } from "../json.ts";
import { openModel } from "../model-file.ts";
import { parseOptions } from "../options.ts";
import { runCommand } from "../run-command.ts";

const HELP = `usage: sortie incumbents ID [OPTION ...]

Prints the feasible solutions that a job has found, in the order found: index and objective. Those of a cancelled job stay
readable. Ctrl-C leaves; the job goes on.

  -f, --follow         go on until the job has ended
  --from INDEX         begin here (default 0)
  --values             print the values of the variables as well: those that are not 0, by the names x0, x1, …
  --model FILE         take the names from this model file
${CLIENT_OPTIONS_HELP}  --json               one line of JSON for each: index, objective; with --values also assignment, a value for every
                       variable, and with --model names in the same order

Exit codes: 0 printed; 1 a fault in the options, the file or on the way to the server; 5 the server does not know the job;
130 interrupted.
`;

export const OPTIONS = {
  ...CLIENT_OPTIONS,
  follow: { type: "boolean", short: "f" },
  from: { type: "string" },
  values: { type: "boolean" },
  model: { type: "string" },
} as const satisfies OptionTable;

export function incumbents(args: readonly string[]): Promise<number> {
  return runCommand(
    args,
    HELP,
    async (signal) => {
      const { values, positionals } = await parseOptions("incumbents", args, OPTIONS);
      const from = wholeNumberOf("from", values.from) ?? 0;
      const id = oneId("incumbents", positionals);
      const names =
        values.model === undefined ? undefined : (await openModel(values.model, signal)).problem.variableNames;
      await using client = await openClient("incumbents", values, signal);
      const found = values.follow
        ? client.incumbents(id, { from, signal, repeat: true })
        : present(client, id, from, signal);
      for await (const incumbent of found) {
        const { index, objective, assignment } = incumbent;
        if (values.json) {
          process.stdout.write(jsonLine({ index, objective, ...(values.values ? { assignment, names } : {}) }));
          continue;
        }
        process.stdout.write(`${String(index).padStart(4)}  ${numberText(objective)}\n`);
        if (values.values) for (const line of valueLines(incumbent, names)) process.stdout.write(line);
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
): AsyncGenerator<Incumbent, void, undefined> {
  for (let next = from; ; ) {
    const page = await client.incumbentPage(id, next, { signal });
    yield* page.incumbents;
    if (page.incumbents.length === 0 || page.nextIndex <= next) return;
    next = page.nextIndex;
  }
}

function* valueLines({ assignment }: Incumbent, names: readonly string[] | undefined): Generator<string> {
  for (const [column, value] of assignment.entries()) {
    if (value !== 0) yield `      ${names?.[column] ?? `x${column}`} ${numberText(value)}\n`;
  }
}
