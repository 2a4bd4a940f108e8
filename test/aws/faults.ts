// What may go wrong between a client and a service: throttling, faults of the service, slowness, connections that are cut
// before or after the request was executed.

/** One request to a service, as far as it can be told before it is executed. */
export interface ServiceCall {
  readonly service: "DynamoDB" | "S3" | "Batch" | "Lambda" | "Events" | "SQS";
  /** "UpdateItem", "SubmitJob", "PutObject", … */
  readonly operation: string;
  /** The function that calls, or "worker"; what its SDK was told to call itself. */
  readonly caller: string;
  /** The parsed request; undefined for S3. */
  readonly body: unknown;
  /** The path of the request, with the bucket and key for S3. */
  readonly path: string;
}

export type FaultKind =
  /** Refused for load; nothing was executed. */
  | "throttle"
  /** The service failed; nothing was executed. */
  | "error"
  /** Executed, and the answer comes late. */
  | "slow"
  /** Executed, and the connection is cut instead of an answer. */
  | "answer-lost"
  /** The connection is cut and nothing was executed. */
  | "request-lost";

export interface Fault {
  readonly kind: FaultKind;
  readonly on: (call: ServiceCall) => boolean;
  /** How often it strikes; until it is removed if absent. */
  readonly times?: number;
  /** Strikes with this probability. Default 1. */
  readonly chance?: number;
  /** For "slow", in milliseconds. Default 300. */
  readonly delayMs?: number;
}

/** Random numbers that repeat from run to run, so that a failure can be had again (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Faults {
  readonly #planned = new Map<Fault, number>();
  readonly #random: () => number;
  /** How often each kind has struck. */
  readonly struck: Record<FaultKind, number> = { throttle: 0, error: 0, slow: 0, "answer-lost": 0, "request-lost": 0 };

  constructor(seed = 1) {
    this.#random = randomNumbers(seed);
  }

  /** @returns what takes the fault away again */
  plan(fault: Fault): () => void {
    this.#planned.set(fault, fault.times ?? Number.POSITIVE_INFINITY);
    return () => this.#planned.delete(fault);
  }

  clear(): void {
    this.#planned.clear();
  }

  /** What happens to this call, if anything. */
  strike(call: ServiceCall): Fault | undefined {
    for (const [fault, left] of this.#planned) {
      if (!fault.on(call) || (fault.chance !== undefined && this.#random() >= fault.chance)) continue;
      if (left > 1) this.#planned.set(fault, left - 1);
      else this.#planned.delete(fault);
      this.struck[fault.kind] += 1;
      return fault;
    }
    return undefined;
  }
}

/** A call of this service and operation, of anybody or of one caller. */
export const calls =
  (service: ServiceCall["service"], operation?: string, caller?: string) =>
  (call: ServiceCall): boolean =>
    call.service === service &&
    (operation === undefined || call.operation === operation) &&
    (caller === undefined || call.caller === caller);
