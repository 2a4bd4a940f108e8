// `sortie wait ID…`: returns when jobs have ended, and how.
import { setTimeout as sleep } from "node:timers/promises";
import { JobEndedError, type SortieClient, TimeoutError } from "@sortie/client";
import { coloured } from "../colours.ts";
import type { OptionTable } from "../command.ts";
import { EXIT_DONE, EXIT_JOB_CANCELLED, EXIT_JOB_FAILED, EXIT_JOB_UNKNOWN, EXIT_TIMED_OUT } from "../exit-codes.ts";
import { numberText } from "../format.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, idsOf, jobFacts, openClient, secondsOf } from "../job-client.ts";
import { secondsSince } from "../job-text.ts";
import { jsonLine } from "../json.ts";
import { type Live, openLive } from "../live.ts";
import { parseOptions } from "../options.ts";
import { runCommand, worstOf } from "../run-command.ts";
import { liveText } from "./solve-watch.ts";

const HELP = `usage: sortie wait ID ... [OPTION ...]

Waits until jobs have ended and tells how they ended, in the order in which they are named. "-" stands for ids on standard
input. Ctrl-C leaves; the jobs go on.

  --timeout SECONDS    leave after so long; the jobs go on
${CLIENT_OPTIONS_HELP}  --json               one line of JSON for each job

Exit codes: 0 all are completed; 1 a fault in the options or on the way to the server; 4 failed; 5 unknown to the server; 6
cancelled; 124 the time is over; 130 interrupted. Of several jobs the largest counts.
`;

export const OPTIONS = { ...CLIENT_OPTIONS, timeout: { type: "string" } } as const satisfies OptionTable;

const LOOK_MS = 1000;

const CODE_OF_STATE: Readonly<Record<string, number>> = {
  completed: EXIT_DONE,
  failed: EXIT_JOB_FAILED,
  cancelled: EXIT_JOB_CANCELLED,
  "not-found": EXIT_JOB_UNKNOWN,
};

export function wait(args: readonly string[]): Promise<number> {
  return runCommand(
    args,
    HELP,
    async (signal) => {
      const { values, positionals } = await parseOptions("wait", args, OPTIONS);
      const seconds = secondsOf("timeout", values.timeout) ?? Number.POSITIVE_INFINITY;
      const ids = await idsOf("wait", positionals);
      const end = performance.now() + seconds * 1000;
      await using client = await openClient("wait", values, signal);
      const live = openLive(process.stderr);
      const codes: number[] = [];
      for (const id of ids) {
        await waitFor(client, id, Math.max(1, end - performance.now()), live, signal);
        const facts = await jobFacts(client, id, signal);
        if (values.json) process.stdout.write(jsonLine(facts.json));
        else process.stdout.write(`${id}  ${coloured(facts.state)}${said(facts.json)}\n`);
        codes.push(CODE_OF_STATE[facts.state] ?? EXIT_TIMED_OUT);
      }
      const code = worstOf(codes);
      if (code === EXIT_TIMED_OUT) process.stderr.write(`sortie: not ended within ${seconds} s; the jobs go on\n`);
      return code;
    },
    "left; the jobs go on (sortie status ID tells where they stand)",
  );
}

/** Returns when the job has ended, however it did, or the time is over; meanwhile it is shown on a terminal. */
async function waitFor(client: SortieClient, id: string, timeoutMs: number, live: Live, signal: AbortSignal) {
  const over = new AbortController();
  const shown = show(client, id, live, AbortSignal.any([signal, over.signal]));
  try {
    await client.wait(id, { signal, timeoutMs });
  } catch (error) {
    if (!(error instanceof JobEndedError || error instanceof TimeoutError)) throw error;
  } finally {
    over.abort();
    await shown;
    live.clear();
  }
}

/** The live line. What cannot be shown is no reason to end the wait. */
async function show(client: SortieClient, id: string, live: Live, signal: AbortSignal): Promise<void> {
  if (!live.isTerminal || !client.server?.isSortie) return;
  try {
    for (;;) {
      const job = await client.job(id, { signal });
      live.update(`${id.slice(0, 8)}${liveText(job, secondsSince(job.createdAt, Date.now()))}`);
      await sleep(LOOK_MS, undefined, { signal });
    }
  } catch {
    // Over, or the wait itself will tell.
  }
}

/** "  objective 568.1007" or "  failure: …" */
function said({ objective, failure, message }: Readonly<Record<string, unknown>>): string {
  if (typeof failure === "string") return `  ${failure}`;
  if (typeof objective === "number") return `  objective ${numberText(objective)}`;
  return typeof message === "string" && message !== "" ? `  ${message}` : "";
}
