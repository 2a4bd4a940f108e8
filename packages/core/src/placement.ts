// Placement: where a job runs and with what, as a pure function of what the job is and what the operator allows.
//
// The defaults weigh price against waiting. A function is billed by the millisecond and starts in about a second, but its
// gigabyte-second costs about three times that of a container, and it ends after 15 minutes. A container task costs little
// per second and takes 30 to 60 s to start. A GPU instance costs about ten times a small container and takes minutes. So
// what surely ends within minutes runs in place, what only a GPU does in time waits for one, and all else is a container.
import type { JobKind } from "./job.ts";
import type { Placement } from "./ports.ts";

/** What is known of a job before it runs. */
export interface JobNeeds {
  readonly kind: JobKind;
  /** Estimate of what the job takes in memory, the worker itself included. */
  readonly memoryBytes: number;
  /** Entries of the matrix, or elements of the cubes. */
  readonly elements: number;
  /** What the client allows; undefined if it set no limit. */
  readonly timeLimitSeconds?: number | undefined;
  /** The work can use a GPU at all. */
  readonly usesGpu: boolean;
}

export interface PlacementPolicy {
  /** Placements that exist here; at least one. */
  readonly available: readonly Placement[];
  readonly inline: {
    readonly memoryBytes: number;
    /** Larger work may take longer than a function lives. */
    readonly elements: number;
    /** A MIP's time cannot be told from its size: it runs inline only under a time limit of at most this. */
    readonly timeLimitSeconds: number;
  };
  readonly gpu: {
    /** From this size on a GPU is worth its start. */
    readonly elements: number;
  };
  /** Memory sizes of container tasks, ascending, in bytes. */
  readonly cpuMemoryBytes: readonly number[];
  /** A worker is ended after this, whatever its job asked for. */
  readonly longestSeconds: number;
}

export interface PlacementDecision {
  readonly placement: Placement;
  /** What to give the worker. */
  readonly memoryBytes: number;
  /** When to end the worker if it has not ended by itself. */
  readonly timeoutSeconds: number;
  /** Why, in words for the job's owner. */
  readonly reason: string;
}

const GIB = 1024 ** 3;

export const DEFAULT_PLACEMENT: PlacementPolicy = {
  available: ["inline", "cpu", "gpu"],
  inline: { memoryBytes: 3 * GIB, elements: 100_000, timeLimitSeconds: 600 },
  gpu: { elements: 5_000_000 },
  cpuMemoryBytes: [2, 4, 8, 16, 30, 60, 120].map((gib) => gib * GIB),
  longestSeconds: 24 * 3600,
};

/** One machine: every job runs in a worker process. */
export const LOCAL_PLACEMENT: PlacementPolicy = { ...DEFAULT_PLACEMENT, available: ["cpu"], cpuMemoryBytes: [] };

/** A worker gets this long beyond its job's own limit to load, to stop and to write back. */
const MARGIN_SECONDS = 120;

/**
 * Decides where a job runs.
 * @param tooLongInline an earlier attempt ran inline and was ended by the function's own time limit
 */
export function placeJob(needs: JobNeeds, policy: PlacementPolicy, tooLongInline = false): PlacementDecision {
  const can = (placement: Placement) => policy.available.includes(placement);
  const timeoutSeconds = Math.min(
    policy.longestSeconds,
    (needs.timeLimitSeconds ?? Number.POSITIVE_INFINITY) + MARGIN_SECONDS,
  );
  if (can("gpu") && needs.usesGpu && (needs.elements >= policy.gpu.elements || policy.available.length === 1)) {
    const reason = `gpu: ${count(needs.elements)} elements, a GPU is used from ${count(policy.gpu.elements)} on`;
    return { placement: "gpu", memoryBytes: needs.memoryBytes, timeoutSeconds, reason };
  }
  const obstacle = can("inline") ? obstacleToInline(needs, policy, tooLongInline) : "functions do not run jobs here";
  if (obstacle === undefined) {
    const reason = `inline: ${count(needs.elements)} elements are done in place within minutes`;
    return { placement: "inline", memoryBytes: needs.memoryBytes, timeoutSeconds, reason };
  }
  if (policy.available.length === 1 && can("cpu")) {
    const memoryBytes = step(needs.memoryBytes, policy.cpuMemoryBytes);
    return { placement: "cpu", memoryBytes, timeoutSeconds, reason: "cpu: the only placement of this server" };
  }
  if (!can("cpu")) {
    const placement = policy.available[0] ?? "cpu";
    const reason = `${placement}: there is no other placement here, although ${obstacle}`;
    return { placement, memoryBytes: needs.memoryBytes, timeoutSeconds, reason };
  }
  const memoryBytes = step(needs.memoryBytes, policy.cpuMemoryBytes);
  return { placement: "cpu", memoryBytes, timeoutSeconds, reason: `cpu: not inline, because ${obstacle}` };
}

/** Why the job cannot run inside the function that answers; undefined if it can. */
function obstacleToInline(needs: JobNeeds, { inline }: PlacementPolicy, tooLongInline: boolean): string | undefined {
  if (tooLongInline) return "it outlived a function before";
  if (needs.kind === "train") return "training takes longer than a function lives";
  if (needs.kind === "infer") return "the function that runs small jobs has no engine for pipelines";
  if (needs.memoryBytes > inline.memoryBytes) {
    return `it needs about ${gib(needs.memoryBytes)} GiB of memory, inline are ${gib(inline.memoryBytes)}`;
  }
  if (needs.elements > inline.elements)
    return `it has ${count(needs.elements)} elements, inline are at most ${count(inline.elements)}`;
  const limit = needs.timeLimitSeconds;
  if (limit !== undefined && limit > inline.timeLimitSeconds) {
    return `its time limit is ${limit} s, inline is at most ${inline.timeLimitSeconds} s`;
  }
  if (needs.kind === "mip" && limit === undefined) return "a MIP without a time limit may take any time";
  return undefined;
}

/** The smallest size that holds `bytes`; `bytes` itself if there is none. */
function step(bytes: number, sizes: readonly number[]): number {
  return sizes.find((size) => size >= bytes) ?? bytes;
}

const count = (value: number): string => value.toLocaleString("en-US");
const gib = (bytes: number): string => (bytes / GIB).toFixed(1);
