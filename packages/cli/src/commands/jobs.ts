// `sortie jobs`: the jobs of a Sortie server, newest first.
import { type Job, JobKind, JobState } from "@sortie/wire";
import { coloured } from "../colours.ts";
import type { OptionTable } from "../command.ts";
import { UsageError } from "../connect.ts";
import { EXIT_DONE } from "../exit-codes.ts";
import { gapText, numberText } from "../format.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, openClient, wholeNumberOf } from "../job-client.ts";
import { ageText, JOB_KINDS, JOB_STATES, jobJson, kindWord, sizeText, stateWord } from "../job-text.ts";
import { jsonDocument } from "../json.ts";
import { parseOptions } from "../options.ts";
import { runCommand } from "../run-command.ts";
import { tableText } from "../table.ts";

const HELP = `usage: sortie jobs [OPTION ...]

Lists jobs, newest first. The server must be Sortie: a cuOpt server keeps no list.

  --state STATE        only jobs in this state (repeatable): ${JOB_STATES.join(", ")}
  --kind KIND          only jobs of this kind (repeatable): ${JOB_KINDS.join(", ")}
  --limit N            at most so many (default 50)
${CLIENT_OPTIONS_HELP}  --json               one JSON document: { "jobs": [ … ] }, each as "sortie status --json" tells it

Exit codes: 0 listed, even if there is none; 1 a fault in the options or on the way to the server; 130 interrupted.
`;

export const OPTIONS = {
  ...CLIENT_OPTIONS,
  state: { type: "string", multiple: true, values: JOB_STATES },
  kind: { type: "string", multiple: true, values: JOB_KINDS },
  limit: { type: "string" },
} as const satisfies OptionTable;

const DEFAULT_LIMIT = 50;
const LARGEST_PAGE = 1000;

export function jobs(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async (signal) => {
    const { values, positionals } = await parseOptions("jobs", args, OPTIONS);
    if (positionals.length > 0) throw new UsageError(`jobs takes no arguments; found ${positionals.join(", ")}`);
    const limit = wholeNumberOf("limit", values.limit, 1) ?? DEFAULT_LIMIT;
    const filter = {
      states: (values.state ?? []).map((word) => JobState[keyOf("state", word, JOB_STATES)]),
      kinds: (values.kind ?? []).map((word) => JobKind[keyOf("kind", word, JOB_KINDS)]),
    };
    await using client = await openClient("jobs", values, signal);
    if (!client.server?.isSortie) {
      throw new UsageError("the server is not Sortie and keeps no list of jobs; sortie status ID asks for one");
    }
    const found: Job[] = [];
    for await (const job of client.jobs({ ...filter, pageSize: Math.min(limit, LARGEST_PAGE), signal })) {
      found.push(job);
      if (found.length === limit) break;
    }
    process.stdout.write(values.json ? jsonDocument({ jobs: found.map(jobJson) }) : tableOf(found, Date.now()));
    return EXIT_DONE;
  });
}

/** "queued" → "QUEUED" */
function keyOf<const T extends readonly string[]>(option: string, word: string, allowed: T): Uppercase<T[number]> {
  const found = allowed.find((candidate) => candidate === word);
  if (found !== undefined) return found.toUpperCase() as Uppercase<T[number]>;
  throw new UsageError(`--${option} is "${word}"; allowed are ${allowed.join(", ")}`);
}

function tableOf(found: readonly Job[], now: number): string {
  if (found.length === 0) return "no jobs\n";
  const rows = found.map((job) => [
    job.id,
    kindWord(job),
    stateWord(job),
    ageText(job.createdAt, now),
    sizeText(job),
    numberText(job.objective),
    gapText(job.gap),
  ]);
  const [head = "", ...lines] = tableText([["ID", "KIND", "STATE", "AGE", "SIZE", "OBJECTIVE", "GAP"], ...rows]).split(
    "\n",
  );
  // Coloured last: the widths of columns are those of plain text.
  const shown = lines.map((line, i) => {
    const state = rows[i]?.[2] ?? "";
    return line.replace(` ${state} `, ` ${coloured(state)} `);
  });
  return `${[head, ...shown].join("\n")}\n`;
}
