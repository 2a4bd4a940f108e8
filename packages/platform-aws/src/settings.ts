// What functions and container workers read from their environment: once, validated, all faults in one report.
import { DEFAULT_LIMITS, DEFAULT_PLACEMENT, type Limits } from "@sortie/core";
import { z } from "zod";
import type { BatchPlacement } from "./batch-dispatcher.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment does not describe a deployment. The message lists every fault, for a person. */
export class AwsSettingsError extends Error {
  override readonly name = "AwsSettingsError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`settings: ${faults.length === 1 ? faults[0] : faults.map((fault) => `\n- ${fault}`).join("")}`);
    this.faults = faults;
  }
}

export interface AwsSettings {
  /** Name of the DynamoDB table. */
  readonly table: string;
  /** Name of the S3 bucket. */
  readonly bucket: string;
  /** Name of the EventBridge bus; absent: no events there. */
  readonly eventBus?: string | undefined;
  /** How callers of the function URL prove who they are. */
  readonly auth: "token" | "iam";
  /** Where jobs may run; the names that are absent are placements that do not exist. */
  readonly placements: {
    /** The name of the function that runs small jobs. */
    readonly inline?: string | undefined;
    readonly cpu?: BatchPlacement | undefined;
    readonly gpu?: BatchPlacement | undefined;
  };
  /** Name of the function that answers Inference; absent: there is none. */
  readonly inferFunction?: string | undefined;
  /** Of the pipeline service, as the embedded server's flags of these names. */
  readonly pipelines: {
    readonly strictPlugins: boolean;
    readonly olderNodeForm: boolean;
  };
  /** Memory of the function that runs small jobs, in bytes. */
  readonly inlineMemoryBytes: number;
  readonly limits: Limits;
  /** How long a container worker looks for a further job of its placement, in milliseconds. */
  readonly lingerMs: number;
  /** From which each tenant's webhook secret is derived; absent: no webhooks. */
  readonly webhookSecret?: string | undefined;
  /** What the dispatcher and Batch tell a container worker; absent in functions. */
  readonly task: {
    readonly jobId?: string | undefined;
    readonly attempt?: number | undefined;
    readonly placement?: "cpu" | "gpu" | undefined;
    /** Batch's own id of this container's job. */
    readonly batchJobId?: string | undefined;
  };
}

const MIB = 2 ** 20;
const LIMIT_PREFIX = "SORTIE_LIMIT_";

/** A rule and its words, so that a fault says what is allowed. */
interface Rule<T> {
  readonly allowed: string;
  readonly schema: z.ZodType<T>;
}

const NAME: Rule<string> = {
  allowed: "a name without spaces",
  schema: z.string().regex(/^\S{1,512}$/),
};
const integer = (min: number, max: number): Rule<number> => ({
  allowed: `a whole number from ${min} to ${max}`,
  schema: z.string().regex(/^\d+$/).transform(Number).pipe(z.number().int().min(min).max(max)),
});
const oneOf = <const T extends readonly [string, ...string[]]>(...words: T): Rule<T[number]> => ({
  allowed: words.join(" or "),
  schema: z.enum(words),
});
const HOURS: Rule<number> = {
  allowed: "a number above 0 and at most 87600",
  schema: z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .pipe(z.number().gt(0).max(87_600)),
};
/** HMAC-SHA256 wants a key that cannot be guessed. */
const SECRET: Rule<string> = { allowed: "text of at least 24 characters", schema: z.string().min(24).max(4096) };

/**
 * Reads the environment. An empty variable counts as absent.
 *
 * Limits have the names of the embedded server's settings behind `SORTIE_LIMIT_`: QUEUE (jobs queued or running),
 * UPLOADS, DOWNLOADS (open at once), UPLOAD_IDLE_SECONDS, DOWNLOAD_IDLE_SECONDS, TTL (hours), STORAGE_MB and
 * WORKER_SECONDS (0 is no limit), MAX_ATTEMPTS, LEASE_SECONDS, CANCEL_GRACE_MS.
 * @throws AwsSettingsError with all faults
 */
export function readAwsSettings(environment: Environment): AwsSettings {
  const faults: string[] = [];

  function read<T>(name: string, { schema, allowed }: Rule<T>): T | undefined {
    const text = environment[name];
    if (text === undefined || text === "") return undefined;
    const parsed = schema.safeParse(text);
    if (parsed.success) return parsed.data;
    // A secret is never repeated.
    const found = name.includes("SECRET")
      ? `has ${text.length} characters`
      : `is ${JSON.stringify(text.slice(0, 200))}`;
    faults.push(`${name} ${found}; allowed is ${allowed}`);
    return undefined;
  }

  function required(name: string, what: string): string {
    const value = read(name, NAME);
    if (value === undefined && !environment[name]) faults.push(`${name} is not set; it must be ${what}`);
    return value ?? "";
  }

  const fairShare = read("SORTIE_FAIR_SHARE", oneOf("0", "1")) === "1";
  function batchPlacement(
    placement: "CPU" | "GPU",
  ): { readonly queue: string; readonly definition: string } | undefined {
    const [queueName, definitionName] = [`SORTIE_${placement}_QUEUE`, `SORTIE_${placement}_DEFINITION`];
    const [queue, definition] = [read(queueName, NAME), read(definitionName, NAME)];
    if (queue === undefined && definition === undefined) return undefined;
    if (queue !== undefined && definition !== undefined) return { queue, definition };
    const [set, missing] = queue === undefined ? [definitionName, queueName] : [queueName, definitionName];
    faults.push(`${set} is set without ${missing}; a placement needs both`);
    return undefined;
  }

  const cpu = batchPlacement("CPU");
  const gpu = batchPlacement("GPU");
  const vcpus = read("SORTIE_GPU_VCPUS", integer(1, 1024));
  const memoryMiB = read("SORTIE_GPU_MEMORY_MIB", integer(512, 64 * 1024 * 1024));
  if (gpu) {
    for (const [name, value] of [
      ["SORTIE_GPU_VCPUS", vcpus],
      ["SORTIE_GPU_MEMORY_MIB", memoryMiB],
    ] as const) {
      if (value === undefined && !environment[name])
        faults.push(`${name} is not set; with SORTIE_GPU_QUEUE it must say the size of the machines`);
    }
  }

  const settings: AwsSettings = {
    table: required("SORTIE_TABLE", "the name of the DynamoDB table"),
    bucket: required("SORTIE_BUCKET", "the name of the S3 bucket"),
    eventBus: read("SORTIE_EVENT_BUS", NAME),
    auth: read("SORTIE_AUTH", oneOf("token", "iam")) ?? "token",
    placements: {
      inline: read("SORTIE_SOLVE_FUNCTION", NAME),
      cpu: cpu && { ...cpu, fairShare },
      gpu: gpu && { ...gpu, fairShare, machine: { vcpus: vcpus ?? 1, memoryMiB: memoryMiB ?? 512 } },
    },
    inferFunction: read("SORTIE_INFER_FUNCTION", NAME),
    pipelines: {
      strictPlugins: read("SORTIE_STRICT_PLUGINS", oneOf("0", "1")) === "1",
      olderNodeForm: read("SORTIE_OLDER_NODE_FORM", oneOf("0", "1")) === "1",
    },
    inlineMemoryBytes:
      (read("SORTIE_SOLVE_MEMORY_MIB", integer(128, 10_240)) ?? DEFAULT_PLACEMENT.inline.memoryBytes / MIB) * MIB,
    limits: readLimits(environment, read, faults),
    lingerMs: (read("SORTIE_LINGER_SECONDS", integer(0, 3600)) ?? 60) * 1000,
    webhookSecret: read("SORTIE_WEBHOOK_SECRET", SECRET),
    task: {
      jobId: read("SORTIE_JOB_ID", NAME),
      attempt: read("SORTIE_ATTEMPT", integer(1, 1_000_000)),
      placement: read("SORTIE_PLACEMENT", oneOf("cpu", "gpu")),
      batchJobId: read("AWS_BATCH_JOB_ID", NAME),
    },
  };
  if (faults.length > 0) throw new AwsSettingsError(faults);
  return settings;
}

type Read = <T>(name: string, rule: Rule<T>) => T | undefined;

const LIMIT_RULES = {
  QUEUE: integer(1, 1_000_000),
  UPLOADS: integer(1, 100_000),
  DOWNLOADS: integer(1, 100_000),
  SESSIONS: integer(1, 4096),
  UPLOAD_IDLE_SECONDS: integer(1, 604_800),
  DOWNLOAD_IDLE_SECONDS: integer(1, 604_800),
  SESSION_IDLE_SECONDS: integer(1, 604_800),
  TTL: HOURS,
  STORAGE_MB: integer(0, 1_000_000_000),
  WORKER_SECONDS: integer(0, 1_000_000_000),
  MAX_ATTEMPTS: integer(1, 100),
  LEASE_SECONDS: integer(1, 3600),
  CANCEL_GRACE_MS: integer(0, 60_000),
} as const;

function readLimits(environment: Environment, read: Read, faults: string[]): Limits {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(LIMIT_PREFIX) || name.slice(LIMIT_PREFIX.length) in LIMIT_RULES) continue;
    faults.push(`${name} is not a limit; there are ${Object.keys(LIMIT_RULES).join(", ")} behind ${LIMIT_PREFIX}`);
  }
  const limit = (name: keyof typeof LIMIT_RULES, factor = 1): number | undefined => {
    const value = read(LIMIT_PREFIX + name, LIMIT_RULES[name]);
    return value === undefined ? undefined : value * factor;
  };
  return {
    jobs: limit("QUEUE") ?? DEFAULT_LIMITS.jobs,
    openUploads: limit("UPLOADS") ?? DEFAULT_LIMITS.openUploads,
    sessions: limit("SESSIONS") ?? DEFAULT_LIMITS.sessions,
    openDownloads: limit("DOWNLOADS") ?? DEFAULT_LIMITS.openDownloads,
    uploadIdleMs: limit("UPLOAD_IDLE_SECONDS", 1000) ?? DEFAULT_LIMITS.uploadIdleMs,
    sessionIdleMs: limit("SESSION_IDLE_SECONDS", 1000) ?? DEFAULT_LIMITS.sessionIdleMs,
    downloadIdleMs: limit("DOWNLOAD_IDLE_SECONDS", 1000) ?? DEFAULT_LIMITS.downloadIdleMs,
    jobTtlMs: limit("TTL", 3_600_000) ?? DEFAULT_LIMITS.jobTtlMs,
    maxAttempts: limit("MAX_ATTEMPTS") ?? DEFAULT_LIMITS.maxAttempts,
    leaseMs: limit("LEASE_SECONDS", 1000) ?? DEFAULT_LIMITS.leaseMs,
    cancelGraceMs: limit("CANCEL_GRACE_MS") ?? DEFAULT_LIMITS.cancelGraceMs,
    arrayBytes: DEFAULT_LIMITS.arrayBytes,
    // 0 is no limit.
    storedBytes: limit("STORAGE_MB", MIB) || undefined,
    workerSecondsPerDay: limit("WORKER_SECONDS") || undefined,
  };
}
