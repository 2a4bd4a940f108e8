// The server's settings: one table says what there is, what is allowed and what holds when nothing is said.
//
// They are read once, from (strongest first) command line, environment (SORTIE_*), settings file (--config, JSON), the
// variables of a cuOpt container, defaults. All faults come back in one report.
import { readFileSync } from "node:fs";
import { homedir, totalmem } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { LOCAL_CALLER, nearest, TENANT_FORM } from "@sortie/core";
import { z } from "zod";

const MIB = 1024 * 1024;
const MIN_MESSAGE_BYTES = 4096;
const MAX_MESSAGE_BYTES = 2048 * MIB - MIB;
const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/** One row of the table. `schema` takes what stands in a flag, a variable or the file and gives the value. */
interface Setting<T> {
  /** Name of the flag and key in the settings file; the variable is SORTIE_ and the same in capitals. */
  readonly flag: string;
  readonly short?: string;
  /** Word that stands for the value in the help; absent: a switch. */
  readonly argument?: string;
  /** What is allowed, for the report of faults. */
  readonly allowed: string;
  readonly text: string;
  readonly schema: z.ZodType<T>;
  readonly default: () => T;
  /** The default in words, where the value depends on the machine or on other settings. */
  readonly defaultText?: string;
}

const setting = <T>(row: Setting<T>): Setting<T> => row;

function integer(
  flag: string,
  range: { min: number; max: number; default: number; argument?: string; note?: string; short?: string },
  text: string,
): Setting<number> {
  const number = z.union([
    z.number(),
    z
      .string()
      .regex(/^[+-]?\d+$/)
      .transform(Number),
  ]);
  const span = range.max === Number.MAX_SAFE_INTEGER ? `, ${range.min} or more` : ` from ${range.min} to ${range.max}`;
  return {
    flag,
    ...(range.short === undefined ? {} : { short: range.short }),
    argument: range.argument ?? "N",
    allowed: `a whole number${span}${range.note ? ` (${range.note})` : ""}`,
    text,
    schema: number.pipe(z.number().int().min(range.min).max(range.max)),
    default: () => range.default,
  };
}

function decimal(
  flag: string,
  range: { above: number; max: number; default: number; argument: string },
  text: string,
): Setting<number> {
  const number = z.union([
    z.number(),
    z
      .string()
      .regex(/^\d+(\.\d+)?$/)
      .transform(Number),
  ]);
  return {
    flag,
    argument: range.argument,
    allowed: `a number above ${range.above} and at most ${range.max}`,
    text,
    schema: number.pipe(z.number().gt(range.above).max(range.max)),
    default: () => range.default,
  };
}

const TRUE = ["true", "1", "yes", "on"];
const FALSE = ["false", "0", "no", "off"];

function toggle(flag: string, text: string, short?: string): Setting<boolean> {
  const word = z
    .string()
    .toLowerCase()
    .pipe(z.enum([...TRUE, ...FALSE]))
    .transform((given) => TRUE.includes(given));
  return {
    flag,
    ...(short === undefined ? {} : { short }),
    allowed: "true or false (also 1, 0, yes, no, on, off)",
    text,
    schema: z.union([z.boolean(), word]),
    default: () => false,
  };
}

function file(flag: string, text: string): Setting<string | undefined> {
  return {
    flag,
    argument: "FILE",
    allowed: "the path of a file",
    text,
    schema: z.string().min(1),
    default: () => undefined,
    defaultText: "none",
  };
}

function choice<const T extends readonly string[]>(
  flag: string,
  argument: string,
  choices: T,
  fallback: T[number],
  text: string,
): Setting<T[number]> {
  return {
    flag,
    argument,
    allowed: `one of ${choices.join(", ")}`,
    text,
    schema: z.enum(choices) as unknown as z.ZodType<T[number]>,
    default: () => fallback,
  };
}

/** Where the embedded platform keeps its data: the user's data folder of this system. */
function defaultDataDirectory(environment: Environment): string {
  if (environment["XDG_DATA_HOME"]) return join(environment["XDG_DATA_HOME"], "sortie");
  if (process.platform === "win32" && environment["LOCALAPPDATA"]) return join(environment["LOCALAPPDATA"], "sortie");
  return join(homedir(), ".local", "share", "sortie");
}

/** Three quarters of what this machine, or the container around us, lets a process have. */
function defaultMemoryBudgetMb(): number {
  const constrained = process.constrainedMemory();
  const bytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.max(256, Math.floor((bytes * 0.75) / MIB));
}

const originList = z
  .union([z.array(z.string()), z.string().transform((list) => list.split(",").map((origin) => origin.trim()))])
  .pipe(z.array(z.string().regex(/^(\*|https?:\/\/[\w.:[\]-]+)$/)));

/** Every setting. The order is the order of the help and of the reference page. */
export const SETTINGS = {
  port: integer(
    "port",
    { min: 0, max: 65535, default: 5001, note: "0 picks a free port", short: "p" },
    "TCP port to listen on. With 0 the system picks one; the line printed at the start names it.",
  ),
  host: setting<string>({
    flag: "host",
    argument: "ADDRESS",
    allowed: "an address or a host name of this machine",
    text: "Address to listen on. `0.0.0.0` is every IPv4 interface, `::` every interface. Anything but a loopback address prints a warning unless TLS is on with --require-client-cert, --require-token or --tls-tenant.",
    schema: z.string().regex(/^[^\s/]+$/),
    default: () => "127.0.0.1",
  }),
  publicUrl: setting<string | undefined>({
    flag: "public-url",
    argument: "URL",
    allowed: "an http or https address without a path, such as https://sortie.example",
    text: "Address at which clients reach this server, for the signed links it gives out. Needed behind a proxy: what proxies put into headers is not believed.",
    schema: z.string().regex(/^https?:\/\/[\w.:[\]-]+$/),
    default: () => undefined,
    defaultText: "the address by which a client calls",
  }),
  corsOrigins: setting<readonly string[]>({
    flag: "cors-origins",
    argument: "ORIGINS",
    allowed: 'origins such as https://app.example, separated by commas, or "*"',
    text: "Origins whose pages may call this server from a browser, separated by commas; `*` is every one. Without it browsers keep other pages away, which also shields a server on this machine from pages that its user happens to visit.",
    schema: originList,
    default: () => [],
    defaultText: "none",
  }),
  dataDirectory: setting<string>({
    flag: "data",
    argument: "DIR",
    allowed: "the path of a folder",
    text: "Folder for jobs, uploads and results. One server at a time.",
    schema: z.string().min(1),
    default: () => "",
    defaultText: "`$XDG_DATA_HOME/sortie`, else `~/.local/share/sortie` (Windows: `%LOCALAPPDATA%\\sortie`)",
  }),
  workers: integer(
    "workers",
    { min: 1, max: 256, default: 1, short: "w" },
    "Worker processes; each runs one job at a time.",
  ),
  memoryBudgetMb: setting<number>({
    ...integer(
      "memory-budget-mb",
      { min: 64, max: 64 * 1024 * 1024, default: 0, argument: "MIB" },
      "Memory that running jobs may claim together, in MiB. A job whose estimate does not fit waits.",
    ),
    default: defaultMemoryBudgetMb,
    defaultText: "three quarters of the memory of this machine or container",
  }),
  maxMessageBytes: setting<number>({
    ...integer(
      "max-message-bytes",
      {
        min: MIN_MESSAGE_BYTES,
        max: Number.MAX_SAFE_INTEGER,
        default: 256 * MIB,
        argument: "BYTES",
        note: `more than ${MAX_MESSAGE_BYTES} counts as ${MAX_MESSAGE_BYTES}`,
      },
      "Largest message, received or sent, in bytes. Clients are told it and cut their chunks by it.",
    ),
    defaultText: "268435456 (256 MiB)",
  }),
  maxMessageMb: setting<number | undefined>({
    ...integer(
      "max-message-mb",
      {
        min: 0,
        max: Number.MAX_SAFE_INTEGER,
        default: 0,
        argument: "MIB",
        note: `held between ${MIN_MESSAGE_BYTES} bytes and ${MAX_MESSAGE_BYTES} bytes`,
      },
      "The same in MiB. --max-message-bytes wins where both are given.",
    ),
    default: () => undefined,
    defaultText: "none",
  }),
  maxInFlightMb: integer(
    "max-in-flight-mb",
    { min: 1, max: 1024 * 1024, default: 1024, argument: "MIB" },
    "Bytes of request messages that may be in memory at once, in MiB; never less than the largest message. Requests beyond it wait for a while, then get RESOURCE_EXHAUSTED.",
  ),
  queueLimit: integer(
    "queue-limit",
    { min: 1, max: 1_000_000, default: 100 },
    "Jobs of one tenant that may be queued or running at once. Beyond it a submission gets RESOURCE_EXHAUSTED.",
  ),
  timeToLiveHours: decimal(
    "ttl",
    { above: 0, max: 87_600, default: 168, argument: "HOURS" },
    "Hours for which a finished job and its result are kept.",
  ),
  uploadIdleSeconds: integer(
    "upload-idle-seconds",
    { min: 1, max: 604_800, default: 300, argument: "SECONDS" },
    "An upload that nothing was sent to for so long is forgotten.",
  ),
  downloadIdleSeconds: integer(
    "download-idle-seconds",
    { min: 1, max: 604_800, default: 300, argument: "SECONDS" },
    "A download that nothing was read from for so long is forgotten.",
  ),
  sessionIdleSeconds: integer(
    "session-idle-seconds",
    { min: 1, max: 604_800, default: 3600, argument: "SECONDS" },
    "A pipeline session that no call names for so long is forgotten.",
  ),
  sessionLimit: integer(
    "session-limit",
    { min: 1, max: 4096, default: 256 },
    "Pipeline sessions of one tenant that may be open at once.",
  ),
  uploadLimit: integer(
    "upload-limit",
    { min: 1, max: 100_000, default: 16 },
    "Uploads of one tenant that may be open at once.",
  ),
  downloadLimit: integer(
    "download-limit",
    { min: 1, max: 100_000, default: 16 },
    "Downloads of one tenant that may be open at once.",
  ),
  storageLimitMb: integer(
    "storage-limit-mb",
    { min: 0, max: 1_000_000_000, default: 0, argument: "MIB", note: "0 is no limit" },
    "Bytes of open uploads, inputs and results that one tenant may have, in MiB. Beyond it new uploads, chunks and jobs get RESOURCE_EXHAUSTED; results are stored all the same.",
  ),
  workerSecondsLimit: integer(
    "worker-seconds-limit",
    { min: 0, max: 1_000_000_000, default: 0, argument: "SECONDS", note: "0 is no limit" },
    "Worker-seconds that one tenant may use on one day (UTC), reckoned when a job ends. Beyond it new jobs get RESOURCE_EXHAUSTED until midnight; what is accepted runs to its end.",
  ),
  maxAttempts: integer(
    "max-attempts",
    { min: 1, max: 100, default: 3 },
    "How often a job is attempted when its worker is lost, before it counts as failed.",
  ),
  leaseSeconds: integer(
    "lease-seconds",
    { min: 1, max: 3600, default: 15, argument: "SECONDS" },
    "How long a worker keeps its right to a job without a heartbeat.",
  ),
  cancelGraceMs: integer(
    "cancel-grace-ms",
    { min: 0, max: 60_000, default: 2000, argument: "MS" },
    "How long the worker of a cancelled job may take to stop and to store what was found, in milliseconds; then its process is ended. The solve itself stops within 100 ms.",
  ),
  stopGraceSeconds: integer(
    "stop-grace-seconds",
    { min: 0, max: 3600, default: 10, argument: "SECONDS" },
    "How long calls may take to end after SIGTERM or SIGINT. Jobs go on in their workers.",
  ),
  durability: choice(
    "durability",
    "WHAT",
    ["process", "power"],
    "process",
    "What an acknowledged job survives: the death of any process (`process`), or a loss of power as well (`power`, slower).",
  ),
  tls: toggle("tls", "Serve TLS instead of clear text. Needs --tls-cert and --tls-key."),
  tlsCert: file("tls-cert", "The server's certificate chain, PEM. Clients check its subject alternative names."),
  tlsKey: file("tls-key", "The private key that belongs to it, PEM."),
  tlsRoot: file(
    "tls-root",
    "Certificate authority for client certificates, PEM. A client may then show a certificate, and a bad one is refused.",
  ),
  requireClientCert: toggle("require-client-cert", "Refuse clients without a certificate. Needs --tls-root."),
  tlsTenant: choice(
    "tls-tenant",
    "WHAT",
    ["none", "cn"],
    "none",
    "What a client certificate says of its owner: nothing (`none`), or that the tenant is the common name of its subject (`cn`; calls with neither certificate nor token are then refused). `cn` needs --tls-root.",
  ),
  requireToken: toggle(
    "require-token",
    "Refuse calls without an API token even while no token exists. As soon as one was made (`sortie token create`), they are refused anyway.",
  ),
  configsDirectory: setting<string>({
    flag: "configs-dir",
    argument: "DIR",
    allowed: "the path of a folder",
    text: "The configurations root of the pipeline service: pipelines are found and saved below its `pipeline` folder. CUVIS_CONFIGS_DIR says the same.",
    schema: z.string().min(1),
    default: () => "configs",
  }),
  pipelineRoots: setting<readonly string[]>({
    flag: "pipeline-roots",
    argument: "DIRS",
    allowed: `paths of folders, separated by "${delimiter}"`,
    text: "Further folders below which clients of the pipeline service may name files: configurations, weights, data, and what they save. Nothing outside of these and the configurations root is read or written for them.",
    schema: z.union([
      z.array(z.string().min(1)),
      z.string().transform((text) => text.split(delimiter).filter((path) => path !== "")),
    ]),
    default: () => ["data", "outputs"],
    defaultText: "`data` and `outputs` in the working directory",
  }),
  strictPlugins: toggle(
    "strict-plugins",
    "Load a pipeline only after LoadPlugin was called for every plugin that it names, as CUVIS.AI does, also where all its node classes are built in.",
  ),
  olderNodeForm: toggle(
    "older-node-form",
    "Answer ListAvailableNodes in the form of CUVIS.AI 0.3, the one message that later releases encode differently.",
  ),
  sharedMemory: toggle(
    "shared-memory",
    "Read tensors that clients on this machine put into POSIX shared memory (/dev/shm), as CUVIS.AI does. Needs Linux and a loopback --host: whoever may call can then read any object there by its name.",
  ),
  pipelineMaxMessageMb: integer(
    "pipeline-max-message-mb",
    { min: 1, max: 2047, default: 300, argument: "MIB" },
    "Largest message of the pipeline service, in MiB.",
  ),
  pipelineProvider: choice(
    "pipeline-provider",
    "NAME",
    ["auto", "cpu", "webgpu", "cuda"],
    "cpu",
    "What runs pipelines: cpu, webgpu or cuda, which fall back to the CPU where they are missing, or auto for the best there is.",
  ),
  inbox: setting<string | undefined>({
    flag: "inbox",
    argument: "DIR",
    allowed: "the path of a folder",
    text: "Folder in which every model file (.mps, .qps or .lp, plain or as .gz or .bz2) becomes a job, with the settings of the .json of the same name. Answers appear in its `outbox`, taken files in its `done`.",
    schema: z.string().min(1),
    default: () => undefined,
    defaultText: "none",
  }),
  inboxTenant: setting<string>({
    flag: "inbox-tenant",
    argument: "TENANT",
    allowed: "the name of a tenant",
    text: "Whose jobs the files of the inbox become.",
    schema: z.string().regex(TENANT_FORM),
    default: () => LOCAL_CALLER.tenant,
  }),
  webhookSecret: setting<string | undefined>({
    flag: "webhook-secret",
    argument: "TEXT",
    allowed: "any text",
    text: "Secret of at least 24 characters from which that of each tenant's webhooks is derived (`sortie webhook secret`). Better given in the variable, where nobody else sees it.",
    schema: z.string().min(1),
    default: () => undefined,
    defaultText: "a random key, kept in the data directory",
  }),
  webhookAllowPrivate: toggle(
    "webhook-allow-private",
    "For development: webhooks may go to private addresses and in clear text (http). Whoever submits jobs can then make the server call services of its own network.",
  ),
  logLevel: choice(
    "log-level",
    "LEVEL",
    LOG_LEVELS,
    "info",
    "How much the server logs: fatal, error, warn, info, debug, trace or silent.",
  ),
  verbose: toggle("verbose", "Short for --log-level info.", "v"),
  quiet: toggle("quiet", "Short for --log-level warn.", "q"),
  logToConsole: toggle("log-to-console", "Repeat the solvers' log lines in the server's log."),
  serverLog: file("server-log", "File that the server's log is written to as well (appended, JSON lines)."),
  chunkTimeoutSeconds: integer(
    "chunk-timeout",
    { min: 0, max: Number.MAX_SAFE_INTEGER, default: 60, argument: "SECONDS" },
    "Taken for the sake of existing scripts. No effect: see --upload-idle-seconds.",
  ),
} as const;

type Table = typeof SETTINGS;
type Key = keyof Table;
type Values = { -readonly [K in Key]: Table[K] extends Setting<infer T> ? T : never };

/** What the server runs with. `logLevel` and `maxMessageBytes` are settled from their several flags. */
export type Settings = Readonly<Omit<Values, "maxMessageMb" | "verbose" | "quiet" | "chunkTimeoutSeconds">> & {
  /** For people, to be logged once: settings without effect, an open address. */
  readonly warnings: readonly string[];
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that cannot be used. `faults` are sentences; the message holds them all, one a line. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
    super([`settings: ${count}`, ...faults.map((fault) => `  ${fault}`)].join("\n"));
    this.faults = faults;
  }
}

/** The environment variable of a setting. */
export const variableOf = (key: Key): string => `SORTIE_${SETTINGS[key].flag.toUpperCase().replaceAll("-", "_")}`;

/** In the order of the table. */
export const SETTING_KEYS = Object.keys(SETTINGS) as Key[];
const KEY_OF_FLAG = new Map(SETTING_KEYS.map((key) => [SETTINGS[key].flag, key]));
const KEY_OF_SHORT = new Map(
  SETTING_KEYS.flatMap((key) => (SETTINGS[key].short ? [[SETTINGS[key].short, key] as const] : [])),
);

/** What one source says: raw values, and how to call the place where each was found. */
type Layer = Map<Key, { readonly raw: unknown; readonly place: string }>;

/** Reads the settings. @throws SettingsError with every fault that was found */
export function readSettings(args: readonly string[], environment: Environment = process.env): Settings {
  const faults: string[] = [];
  const flags = layerOfFlags(args, "", faults);
  const configFile = flags.config ?? environment["SORTIE_CONFIG"];
  const layers: Layer[] = [
    flags.layer,
    layerOfEnvironment(environment, faults),
    configFile === undefined || configFile === "" ? new Map() : layerOfFile(configFile, faults),
    ...layersOfContainer(environment, faults),
  ];
  for (const layer of layers) settleAliases(layer);

  const values = merge(layers, faults);
  if (values.dataDirectory === "") values.dataDirectory = defaultDataDirectory(environment);
  values.dataDirectory = resolve(values.dataDirectory);
  checkTogether(values, faults);
  if (faults.length > 0) throw new SettingsError(faults);

  const { maxMessageMb, verbose: _verbose, quiet: _quiet, chunkTimeoutSeconds: _unused, ...rest } = values;
  const wanted = maxMessageMb === undefined ? values.maxMessageBytes : maxMessageMb * MIB;
  return {
    ...rest,
    maxMessageBytes: Math.min(Math.max(wanted, MIN_MESSAGE_BYTES), MAX_MESSAGE_BYTES),
    warnings: warningsFor(values, layers, environment),
  };
}

/** The flags as `parseArgs` takes them. */
export function settingOptions(): Record<string, { type: "string" | "boolean"; short?: string }> {
  const options: ReturnType<typeof settingOptions> = { config: { type: "string" } };
  for (const key of SETTING_KEYS) {
    const { flag, short, argument } = SETTINGS[key];
    options[flag] = { type: argument ? "string" : "boolean", ...(short ? { short } : {}) };
  }
  return options;
}

function layerOfFlags(args: readonly string[], where: string, faults: string[]): { layer: Layer; config?: string } {
  // Not strict: we want every fault, and the nearest name with it.
  const { tokens } = parseArgs({
    args: [...args],
    options: settingOptions(),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const layer: Layer = new Map();
  let config: string | undefined;
  for (const token of tokens) {
    if (token.kind === "positional") faults.push(`${where}"${token.value}" is not a flag; flags begin with --`);
    if (token.kind !== "option") continue;
    const key = KEY_OF_FLAG.get(token.name) ?? KEY_OF_SHORT.get(token.name);
    const takesValue = token.name === "config" || (key !== undefined && SETTINGS[key].argument !== undefined);
    if (key === undefined && token.name !== "config") {
      faults.push(`${where}${token.rawName} is not a flag${didYouMean(token.name, "--")}`);
    } else if (takesValue && (token.value === undefined || isFlag(token.value))) {
      faults.push(
        `${where}${token.rawName} needs a value${key ? `: ${SETTINGS[key].allowed}` : ": the path of a file"}`,
      );
    } else if (key === undefined) {
      config = token.value;
    } else {
      layer.set(key, { raw: token.value ?? true, place: `${where}${token.rawName}` });
    }
  }
  return config === undefined ? { layer } : { layer, config };
}

const isFlag = (text: string): boolean =>
  text.startsWith("--") && KEY_OF_FLAG.has(text.slice(2).split("=", 1)[0] ?? "");

function layerOfEnvironment(environment: Environment, faults: string[]): Layer {
  const layer: Layer = new Map();
  const names = new Map(SETTING_KEYS.map((key) => [variableOf(key), key]));
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith("SORTIE_") || value === undefined || value === "") continue;
    const key = names.get(name);
    if (key !== undefined) layer.set(key, { raw: value, place: name });
    else if (name !== "SORTIE_CONFIG") {
      // Other programs of Sortie have variables of their own, so only a near miss is called a mistake.
      const meant = nearest(name, [...names.keys(), "SORTIE_CONFIG"], 2);
      if (meant !== undefined) faults.push(`${name} is not a setting; did you mean ${meant}?`);
    }
  }
  return layer;
}

function layerOfFile(path: string, faults: string[]): Layer {
  const layer: Layer = new Map();
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    faults.push(`--config ${path} cannot be read: ${(error as Error).message}`);
    return layer;
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    faults.push(`--config ${path} must hold one JSON object, such as {"port": 5001}`);
    return layer;
  }
  for (const [name, raw] of Object.entries(content)) {
    const key = KEY_OF_FLAG.get(name);
    if (key === undefined) faults.push(`"${name}" in ${path} is not a setting${didYouMean(name, "")}`);
    else layer.set(key, { raw, place: `"${name}" in ${path}` });
  }
  return layer;
}

/** The variables that start a CUVIS.AI server. */
const CUVIS_VARIABLES: Readonly<Record<string, Key>> = {
  GRPC_PORT: "port",
  GRPC_USE_TLS: "tls",
  GRPC_TLS_CERT_PATH: "tlsCert",
  GRPC_TLS_KEY_PATH: "tlsKey",
  CUVIS_CONFIGS_DIR: "configsDirectory",
};
const PYTHON_LEVELS: Readonly<Record<string, string>> = { warning: "warn", critical: "fatal" };

/** The variables that start a cuOpt container: weaker than everything that was said to Sortie itself. */
function layersOfContainer(environment: Environment, faults: string[]): Layer[] {
  const args = (environment["CUOPT_GRPC_ARGS"] ?? "").split(/\s+/).filter((arg) => arg !== "");
  const variables: Layer = new Map();
  const port = environment["CUOPT_SERVER_PORT"];
  const workers = environment["CUOPT_GPU_COUNT"];
  if (port) variables.set("port", { raw: port, place: "CUOPT_SERVER_PORT" });
  if (workers) variables.set("workers", { raw: workers, place: "CUOPT_GPU_COUNT" });
  for (const [name, key] of Object.entries(CUVIS_VARIABLES)) {
    const raw = environment[name];
    if (raw) variables.set(key, { raw, place: name });
  }
  const bytes = environment["GRPC_MAX_MSG_SIZE"];
  if (bytes) {
    const raw = /^\d+$/.test(bytes) ? String(Math.max(1, Math.ceil(Number(bytes) / MIB))) : bytes;
    variables.set("pipelineMaxMessageMb", { raw, place: "GRPC_MAX_MSG_SIZE" });
  }
  const level = environment["LOG_LEVEL"]?.toLowerCase();
  if (level) variables.set("logLevel", { raw: PYTHON_LEVELS[level] ?? level, place: "LOG_LEVEL" });
  const flags = layerOfFlags(args, "CUOPT_GRPC_ARGS: ", faults);
  if (flags.config !== undefined) faults.push("CUOPT_GRPC_ARGS: --config is not read there; set SORTIE_CONFIG");
  return [flags.layer, variables];
}

/** Within one source: bytes win over MiB, a level over the two switches for one; a switch that is off says nothing. */
function settleAliases(layer: Layer): void {
  if (layer.has("maxMessageBytes")) layer.delete("maxMessageMb");
  for (const [key, level] of [
    ["quiet", "warn"],
    ["verbose", "info"],
  ] as const) {
    const given = layer.get(key);
    if (given === undefined || layer.has("logLevel")) continue;
    const on = SETTINGS[key].schema.safeParse(given.raw);
    if (on.success && on.data) layer.set("logLevel", { raw: level, place: given.place });
  }
}

function merge(layers: readonly Layer[], faults: string[]): Values {
  const values: Record<string, unknown> = {};
  // The two ways of saying the message limit are one setting: the strongest source that says either decides.
  const sizeLayer = layers.find((layer) => layer.has("maxMessageBytes") || layer.has("maxMessageMb"));
  for (const key of SETTING_KEYS) {
    const row = SETTINGS[key];
    const isSize = key === "maxMessageBytes" || key === "maxMessageMb";
    const found = (isSize ? sizeLayer : layers.find((layer) => layer.has(key)))?.get(key);
    if (found === undefined) {
      values[key] = row.default();
      continue;
    }
    const parsed = row.schema.safeParse(found.raw);
    if (parsed.success) values[key] = parsed.data;
    else {
      faults.push(
        `${found.place} is ${JSON.stringify(found.raw)}; allowed: ${row.allowed} (--${row.flag}, ${variableOf(key)})`,
      );
      values[key] = row.default();
    }
  }
  return values as Values;
}

const SHORTEST_SECRET = 24;

function checkTogether(values: Values, faults: string[]): void {
  // Not in the table: its faults repeat what was given.
  if (values.webhookSecret !== undefined && values.webhookSecret.length < SHORTEST_SECRET) {
    faults.push(
      `--webhook-secret (SORTIE_WEBHOOK_SECRET) has ${values.webhookSecret.length} characters; at least ${SHORTEST_SECRET} are needed`,
    );
  }
  if (values.tls) {
    for (const key of ["tlsCert", "tlsKey"] as const) {
      if (values[key] === undefined) {
        faults.push(`--tls needs --${SETTINGS[key].flag} (${variableOf(key)}), which is not set`);
      }
    }
  }
  if (values.requireClientCert && values.tlsRoot === undefined) {
    faults.push("--require-client-cert needs --tls-root (SORTIE_TLS_ROOT), which is not set");
  } else if (values.requireClientCert && !values.tls) {
    faults.push("--require-client-cert has no meaning without --tls");
  }
  if (values.tlsTenant === "cn" && !(values.tls && values.tlsRoot !== undefined)) {
    faults.push("--tls-tenant cn needs --tls and --tls-root (SORTIE_TLS_ROOT), by which clients are verified");
  }
  if (values.sharedMemory && process.platform !== "linux") {
    faults.push("--shared-memory needs Linux, which shows shared memory in /dev/shm");
  } else if (values.sharedMemory && !isLoopback(values.host)) {
    faults.push(
      `--shared-memory needs a loopback --host, which ${values.host} is not: only this machine shares memory`,
    );
  }
  for (const key of ["tlsCert", "tlsKey", "tlsRoot"] as const) {
    const path = values[key];
    if (path === undefined) continue;
    try {
      readFileSync(path);
    } catch (error) {
      faults.push(
        `--${SETTINGS[key].flag} (${variableOf(key)}) is "${path}", which cannot be read: ${(error as Error).message}`,
      );
    }
  }
}

/** Is this an address that only this machine can reach? */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function warningsFor(values: Values, layers: readonly Layer[], environment: Environment): string[] {
  const warnings: string[] = [];
  const asks = values.requireToken || values.tlsTenant !== "none";
  if (!isLoopback(values.host) && asks && !values.tls) {
    warnings.push(`listening on ${values.host}: in clear text anyone who sees the traffic can read tokens and data`);
  } else if (!isLoopback(values.host) && !asks && !(values.tls && values.requireClientCert)) {
    const what = values.tls ? "without --require-client-cert anyone" : "in clear text anyone";
    warnings.push(
      `listening on ${values.host}: ${what} who reaches this address can read, submit and delete jobs, ` +
        "unless API tokens were made (sortie token create)",
    );
  }
  if (values.webhookAllowPrivate) {
    warnings.push(
      "--webhook-allow-private: whoever submits jobs can make this server call services of its own network",
    );
  }
  if (layers.some((layer) => layer.has("chunkTimeoutSeconds"))) {
    warnings.push("--chunk-timeout has no effect; --upload-idle-seconds says when an upload is forgotten");
  }
  for (const key of ["tlsCert", "tlsKey", "tlsRoot"] as const) {
    if (values[key] !== undefined && !values.tls) {
      warnings.push(
        `--${SETTINGS[key].flag} (${variableOf(key)}) has no effect without --tls: the server speaks clear text`,
      );
    }
  }
  const type = environment["CUOPT_SERVER_TYPE"];
  if (type && type !== "grpc") warnings.push(`CUOPT_SERVER_TYPE is "${type}": only the gRPC service is served here`);
  return warnings;
}

function didYouMean(name: string, prefix: string): string {
  const meant = nearest(name, [...KEY_OF_FLAG.keys(), "config"], 3);
  return meant === undefined ? "" : `; did you mean ${prefix}${meant}?`;
}
