// What is shown of a solve while it runs: incumbents as lines, one live line, and what a plot needs afterwards.
import type { Incumbent, SortieClient } from "@sortie/client";
import type { Job } from "@sortie/wire";
import { gapText, numberText, secondsText } from "../format.ts";
import type { Live } from "../live.ts";
import type { Sample } from "../plot.ts";

/** Milliseconds between two looks at the job. */
const LOOK_MS = 200;
/** The same for servers that tell nothing but incumbents. */
const TICK_MS = 1000;

export interface WatchOptions {
  readonly live: Live;
  /** Whether incumbents are told, and the live line is shown; not beside a log. */
  readonly shown: boolean;
  /** Whether bounds are wanted although nobody looks at a live line. */
  readonly wantsBounds: boolean;
}

export class SolveWatch implements Disposable {
  readonly #client: SortieClient;
  readonly #jobId: string;
  readonly #options: WatchOptions;
  readonly #started = performance.now();
  readonly #objectives: Sample[] = [];
  readonly #bounds: Sample[] = [];
  readonly #ended = new AbortController();
  #best: Incumbent | undefined;

  constructor(client: SortieClient, jobId: string, options: WatchOptions) {
    this.#client = client;
    this.#jobId = jobId;
    this.#options = options;
    const { live, shown, wantsBounds } = options;
    if ((live.isTerminal && shown) || wantsBounds) void this.#look();
  }

  /** Since the job was submitted. */
  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  get objectives(): readonly Sample[] {
    return this.#objectives;
  }

  get bounds(): readonly Sample[] {
    return this.#bounds;
  }

  /** The latest incumbent, which is the best. */
  get best(): Incumbent | undefined {
    return this.#best;
  }

  readonly onIncumbent = (incumbent: Incumbent): void => {
    const { seconds } = this;
    this.#best = incumbent;
    this.#objectives.push({ seconds, value: incumbent.objective });
    if (!this.#options.shown) return;
    this.#options.live.print(`${secondsText(seconds).padStart(9)}  incumbent ${numberText(incumbent.objective)}`);
  };

  /** Nothing is looked at or shown any more. */
  [Symbol.dispose](): void {
    this.#ended.abort();
    this.#options.live.clear();
  }

  async #look(): Promise<void> {
    const { signal } = this.#ended;
    const isSortie = this.#client.server?.isSortie === true;
    while (!signal.aborted) {
      // A look that fails is no reason to give up the solve: there will be another.
      let isSilent = false;
      const job = isSortie
        ? await this.#client.job(this.#jobId, { signal }).catch(() => {
            isSilent = true;
            return undefined;
          })
        : undefined;
      if (signal.aborted) return;
      const { seconds } = this;
      if (job?.bound !== undefined && job.bound !== this.#bounds.at(-1)?.value) {
        this.#bounds.push({ seconds, value: job.bound });
      }
      if (this.#options.shown && isSilent) {
        this.#options.live.update(`${secondsText(seconds).padStart(9)}  the server does not answer; asking again`);
      } else if (this.#options.shown) {
        this.#options.live.update(liveText({ objective: this.#best?.objective, ...known(job) }, seconds));
      }
      await pause(isSortie ? LOOK_MS : TICK_MS, signal);
    }
  }
}

/** What is shown of a running job. */
export type LiveFacts = Partial<
  Pick<Job, "objective" | "bound" | "gap" | "nodes" | "iterations" | "queuePosition" | "waitingReason">
>;

const known = (job: Job | undefined): LiveFacts =>
  Object.fromEntries(Object.entries(job ?? {}).filter(([, value]) => value !== undefined));

/** "    1.3 s  objective 7615  bound 7600  gap 0.20 %  7 nodes" */
export function liveText(facts: LiveFacts, seconds: number): string {
  const time = secondsText(seconds).padStart(9);
  if (facts.queuePosition !== undefined) {
    return `${time}  waiting: ${facts.waitingReason || `${facts.queuePosition} jobs before it`}`;
  }
  const { objective, bound, gap, nodes, iterations } = facts;
  const effort =
    nodes === undefined ? (iterations === undefined ? "" : `  ${iterations} iterations`) : `  ${nodes} nodes`;
  return `${time}  objective ${numberText(objective)}  bound ${numberText(bound)}  gap ${gapText(gap)}${effort}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
}
