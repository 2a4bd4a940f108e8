// What an operator may choose for a stage: environment variables (SST reads them from `.env` and `.env.STAGE` as well),
// read once and checked, all faults reported together. Pure; docs/deploy.md lists them.

/** Machines with one NVIDIA GPU that a Batch job may have to itself: what the operating system leaves of their memory. */
export const GPU_MACHINES: Readonly<Record<string, { readonly vcpus: number; readonly memoryMiB: number }>> = {
  "g4dn.xlarge": { vcpus: 4, memoryMiB: 14_800 },
  "g4dn.2xlarge": { vcpus: 8, memoryMiB: 30_000 },
  "g5.xlarge": { vcpus: 4, memoryMiB: 14_800 },
  "g5.2xlarge": { vcpus: 8, memoryMiB: 30_000 },
  "g6.xlarge": { vcpus: 4, memoryMiB: 14_800 },
  "g6.2xlarge": { vcpus: 8, memoryMiB: 30_000 },
};

export interface Options {
  readonly stage: string;
  /** Keeps its data when it is removed, and cannot be removed by accident. */
  readonly production: boolean;
  /** Who may call the function URL: bearers of Sortie's tokens, or identities of AWS. */
  readonly auth: "token" | "iam";
  /** Web pages that may call the API and use signed links. Empty: none. */
  readonly corsOrigins: readonly string[];
  /** Workers on spare capacity, at about a third of the price; a worker that is called back gives its job back. */
  readonly spot: boolean;
  readonly cpuVcpus: number;
  readonly gpu: { readonly instanceType: string; readonly maxVcpus: number } | undefined;
  /** Scratch disk of a container task. */
  readonly diskGiB: number;
  /** An image in ECR that is there already. Absent: it is built from the Dockerfile. */
  readonly image: string | undefined;
  /** The ARN of the certificate for the host of native gRPC clients. Absent: no host. */
  readonly hostCertificate: string | undefined;
  readonly alarms: boolean;
  readonly alarmEmail: string | undefined;
  readonly logDays: number;
  /** How long the results of inbox jobs lie under `outbox/`. */
  readonly outboxDays: number;
  /** `SORTIE_LIMIT_…`, handed on to functions and workers, which check them. */
  readonly limits: Readonly<Record<string, string>>;
  /** Settings of the pipeline service, handed on to what answers its calls, which checks them. */
  readonly pipelines: Readonly<Record<string, string>>;
  /** Of finished jobs: one of the limits, known here because objects must not expire sooner. */
  readonly timeToLiveHours: number;
}

/** What CloudWatch takes. */
const LOG_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];
const PREFIX = "SORTIE_STACK_";
const LIMIT = "SORTIE_LIMIT_";
const PIPELINES = ["SORTIE_STRICT_PLUGINS", "SORTIE_OLDER_NODE_FORM"];
const DEFAULT_TTL_HOURS = 7 * 24;
const KNOWN = [
  "ALARMS",
  "ALARM_EMAIL",
  "AUTH",
  "CORS_ORIGINS",
  "CPU_VCPUS",
  "DISK_GIB",
  "GPU",
  "GPU_VCPUS",
  "HOST_CERTIFICATE",
  "IMAGE",
  "LOG_DAYS",
  "OUTBOX_DAYS",
  "SPOT",
] as const;
type Name = (typeof KNOWN)[number];

/**
 * @param environment what the process sees; names other than `SORTIE_STACK_…` are not looked at
 * @throws Error that lists every fault: the variable, what it is, what is allowed
 */
export function readOptions(stage: string, environment: Readonly<Record<string, string | undefined>>): Options {
  const faults: string[] = [];
  if (!/^[a-z][a-z0-9-]{0,19}$/.test(stage)) {
    faults.push(`the stage is "${stage}"; allowed are 1 to 20 lower-case letters, digits and hyphens, a letter first`);
  }
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(PREFIX) || KNOWN.includes(name.slice(PREFIX.length) as Name)) continue;
    faults.push(`${name} is not an option; there are ${KNOWN.map((known) => PREFIX + known).join(", ")}`);
  }
  const textOf = (name: Name) => environment[PREFIX + name]?.trim() || undefined;
  const fault = (name: Name, allowed: string) => {
    faults.push(`${PREFIX}${name} is "${textOf(name)}"; allowed is ${allowed}`);
  };
  const oneOf = <T extends string>(name: Name, values: readonly T[], otherwise: T): T => {
    const found = textOf(name);
    if (found === undefined) return otherwise;
    if (!values.includes(found as T)) fault(name, values.join(" or "));
    return found as T;
  };
  const flag = (name: Name, otherwise: boolean) => oneOf(name, ["0", "1"], otherwise ? "1" : "0") === "1";
  const matching = (name: Name, pattern: RegExp, allowed: string) => {
    const found = textOf(name);
    if (found !== undefined && !pattern.test(found)) fault(name, allowed);
    return found;
  };
  const whole = (name: Name, from: number, to: number, otherwise: number) => {
    const found = textOf(name);
    if (found === undefined) return otherwise;
    const value = /^\d+$/.test(found) ? Number(found) : Number.NaN;
    if (!(value >= from && value <= to)) fault(name, `a whole number from ${from} to ${to}`);
    return value;
  };

  const production = stage === "production";
  const instanceType = oneOf("GPU", ["0", ...Object.keys(GPU_MACHINES)], "0");
  const gpuVcpus = whole("GPU_VCPUS", 4, 10_000, 16);
  const machine = GPU_MACHINES[instanceType];
  if (machine && gpuVcpus < machine.vcpus) fault("GPU_VCPUS", `at least the ${machine.vcpus} of one ${instanceType}`);
  const corsOrigins = (textOf("CORS_ORIGINS") ?? "").split(",").flatMap((origin) => origin.trim() || []);
  if (!corsOrigins.every((origin) => /^https?:\/\/[^/*\s]+$/.test(origin))) {
    fault("CORS_ORIGINS", "origins such as https://example.org, separated by commas, without paths and asterisks");
  }
  const alarmEmail = matching("ALARM_EMAIL", /^[^@\s]+@[^@\s]+$/, "an address");
  const logDays = whole("LOG_DAYS", 1, 3653, 30);
  if (!LOG_DAYS.includes(logDays)) fault("LOG_DAYS", LOG_DAYS.join(", "));

  const handedOn = (is: (name: string) => boolean): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(environment).flatMap(([name, value]) => (is(name) && value ? [[name, value]] : [])),
    );

  const options: Options = {
    stage,
    production,
    auth: oneOf("AUTH", ["token", "iam"], "token"),
    corsOrigins,
    spot: flag("SPOT", false),
    cpuVcpus: whole("CPU_VCPUS", 1, 100_000, 64),
    gpu: machine && { instanceType, maxVcpus: gpuVcpus },
    diskGiB: whole("DISK_GIB", 21, 200, 21),
    image: matching(
      "IMAGE",
      /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?\/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})$/,
      "an image in ECR with its tag or digest",
    ),
    hostCertificate: matching(
      "HOST_CERTIFICATE",
      /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[\w-]+$/,
      "the ARN of a certificate in ACM",
    ),
    alarms: flag("ALARMS", production || alarmEmail !== undefined),
    alarmEmail,
    logDays,
    outboxDays: whole("OUTBOX_DAYS", 1, 3650, 90),
    limits: handedOn((name) => name.startsWith(LIMIT)),
    pipelines: handedOn((name) => PIPELINES.includes(name)),
    timeToLiveHours: Number(environment[`${LIMIT}TTL`] || DEFAULT_TTL_HOURS),
  };
  if (!(options.timeToLiveHours > 0)) faults.push(`${LIMIT}TTL is "${environment[`${LIMIT}TTL`]}"; allowed are hours`);
  if (alarmEmail !== undefined && !options.alarms) fault("ALARMS", `1 with ${PREFIX}ALARM_EMAIL`);
  if (faults.length > 0)
    throw new Error(`the stage cannot be deployed:\n${faults.map((one) => `- ${one}`).join("\n")}`);
  return options;
}
