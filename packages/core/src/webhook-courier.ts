// The delivery of webhooks. What is to be told stands in the job's row: the set of waiting events and when to try next. A
// courier takes a row's events out one after another, oldest first, beside whatever else its process does; a crash forgets
// nothing, since the next sweep finds the row.
import type { Context } from "./context.ts";
import { type Job, jobFromRow } from "./job.ts";
import { entriesInOrder, eventFromOutbox, jobEventBody, timeOfEntry } from "./job-events.ts";
import { jobDuePosition, jobKey } from "./keys.ts";
import type { Change, Condition, Row, WebhookSender } from "./ports.ts";
import { WEBHOOK_GIVE_UP_MS, webhookRetryMs } from "./webhook-rules.ts";

type Ports = Pick<Context, "table" | "clock" | "onFault">;

/** Deliveries under way at once, in all and to one host, so that a slow receiver takes no other's place. */
const AT_ONCE = 16;
const AT_ONCE_PER_HOST = 4;
/** Another process leaves a row's webhook alone for so long: longer than a sender takes for one message. */
const CLAIM_MS = 20_000;
/** A receiver that answers so wants no more. */
const GONE = 410;

const isDelivered = (status: number): boolean => status >= 200 && status < 300;

/** What a delivery came to. */
type Outcome = { readonly kind: "delivered" | "gone" | "stopped" } | { readonly kind: "failed"; readonly why: string };

export class WebhookCourier {
  readonly #sender: WebhookSender;
  readonly #random: () => number;
  /** Job id to host, for each job in hand. */
  readonly #inHand = new Map<string, string>();
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(sender: WebhookSender, random: () => number = Math.random) {
    this.#sender = sender;
    this.#random = random;
  }

  get allowPrivate(): boolean {
    return this.#sender.allowPrivate;
  }

  /**
   * Starts to deliver what waits in this row, if its time has come and there is room; does not wait for the receiver.
   * @returns the row as it is now
   */
  async attend(ports: Ports, row: Row): Promise<Row> {
    const job = jobFromRow(row);
    const { webhook } = job;
    const now = ports.clock.now();
    if (!webhook || job.webhooks.size === 0 || (webhook.at ?? 0) > now || this.#stop.signal.aborted) return row;
    const host = new URL(webhook.url).host;
    if (this.#inHand.has(job.id) || this.#isFull(host)) return row;
    this.#inHand.set(job.id, host);
    let claimed: Row | undefined;
    try {
      claimed = await write(ports, job, { set: { webhookAt: now + CLAIM_MS } });
    } finally {
      if (!claimed) this.#inHand.delete(job.id);
    }
    if (!claimed) return row;
    const running = this.#deliver(ports, jobFromRow(claimed))
      .catch((error) => ports.onFault(`delivering the webhook of job ${job.id}`, error))
      .finally(() => {
        this.#inHand.delete(job.id);
        this.#running.delete(running);
      });
    this.#running.add(running);
    return claimed;
  }

  /** Resolves when nothing is under way: functions wait for it before they return. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Ends what is under way; its rows are taken up again later. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.idle();
    await this.#sender[Symbol.asyncDispose]();
  }

  #isFull(host: string): boolean {
    const same = [...this.#inHand.values()].filter((other) => other === host).length;
    return this.#inHand.size >= AT_ONCE || same >= AT_ONCE_PER_HOST;
  }

  /** Takes out the row's events until none is left or one cannot be delivered. */
  async #deliver(ports: Ports, claimed: Job): Promise<void> {
    let job = claimed;
    for (;;) {
      const [entry] = entriesInOrder(job.webhooks);
      if (entry === undefined) break;
      const outcome = await this.#send(job, entry);
      const settled = await write(ports, job, this.#settlement(ports, job, entry, outcome));
      // Somebody else has taken the row over.
      if (!settled) return;
      job = jobFromRow(settled);
      if (outcome.kind === "failed" && job.webhooks.has(entry)) break;
      if (outcome.kind === "stopped") break;
    }
    // The next sweep finds out when the row is due next. Where it has moved on, it is due already.
    const unmoved = { kind: "equals", name: "state", value: job.state } as const;
    await write(ports, job, { index: { due: jobDuePosition(job, ports.clock.now()) } }, [unmoved]);
  }

  async #send(job: Job, entry: string): Promise<Outcome> {
    const event = eventFromOutbox(job, entry);
    try {
      const message = {
        url: job.webhook?.url ?? "",
        tenant: job.tenant,
        id: event.id,
        body: JSON.stringify(jobEventBody(event)),
      };
      const status = await this.#sender.send(message, { signal: this.#stop.signal });
      if (isDelivered(status)) return { kind: "delivered" };
      return status === GONE ? { kind: "gone" } : { kind: "failed", why: `the answer was ${status}` };
    } catch (error) {
      if (this.#stop.signal.aborted) return { kind: "stopped" };
      return { kind: "failed", why: (error as Error).message };
    }
  }

  /** What is written down of it. */
  #settlement({ clock }: Ports, job: Job, entry: string, outcome: Outcome): Change {
    const now = clock.now();
    if (outcome.kind === "stopped") return { unset: ["webhookAt"] };
    if (outcome.kind === "gone") {
      const note = `the receiver answered ${GONE}: it is sent no more events of this job`;
      return {
        set: { webhookNote: note, webhookOff: true },
        unset: RETRY,
        removeFromSet: { webhooks: [...job.webhooks] },
      };
    }
    const why = outcome.kind === "failed" ? outcome.why : undefined;
    if (why !== undefined && now - timeOfEntry(entry) < WEBHOOK_GIVE_UP_MS) {
      const failures = (job.webhook?.failures ?? 0) + 1;
      const at = now + webhookRetryMs(failures, this.#random());
      const note = `the last try failed: ${why}; the next one is at ${new Date(at).toISOString()}`;
      return { set: { webhookAt: at, webhookFailures: failures, webhookNote: note } };
    }
    const last = job.webhooks.size === 1;
    const note = why && `an event was given up after ${WEBHOOK_GIVE_UP_MS / HOUR_MS} hours: ${why}`;
    return {
      set: {
        // The row stays this courier's for the next event.
        ...(last ? {} : { webhookAt: now + CLAIM_MS }),
        ...(note === undefined ? {} : { webhookNote: note }),
      },
      unset: [...(last ? RETRY : ["webhookFailures"]), ...(note === undefined ? ["webhookNote"] : [])],
      removeFromSet: { webhooks: [entry] },
    };
  }
}

const HOUR_MS = 3_600_000;
const RETRY: readonly string[] = ["webhookAt", "webhookFailures"];

/** A write on the condition that nobody else has taken the row's webhook since `job` was read. */
async function write(
  ports: Pick<Ports, "table">,
  job: Job,
  change: Change,
  conditions: readonly Condition[] = [],
): Promise<Row | undefined> {
  const written = await ports.table.write(jobKey(job.id), change, [
    { kind: "row-exists" },
    webhookUnmoved(job),
    ...conditions,
  ]);
  return written.ok ? written.row : undefined;
}

/** The row's webhook is as it was when `job` was read. */
export function webhookUnmoved(job: Job): Condition {
  const at = job.webhook?.at;
  return at === undefined ? { kind: "absent", name: "webhookAt" } : { kind: "equals", name: "webhookAt", value: at };
}
