// A cloud in a process: table and blobs on emulators, functions and workers as real processes, Batch as a state machine,
// the table's stream, the rules of events, the schedule and the function URL, put together as the stacks do it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as dynamodb from "@aws-sdk/client-dynamodb";
import * as s3 from "@aws-sdk/client-s3";
import * as aws from "@sortie/platform-aws";
import { STREAM_FILTERS } from "../../stacks/stream-filter.ts";
import { batchEvent } from "./batch-api.ts";
import { type BatchJobState, BatchMachine, type OnExit, type Task } from "./batch-machine.ts";
import { startDynamo } from "./emulators.ts";
import { identity } from "./environment.ts";
import { matches, type Pattern } from "./event-pattern.ts";
import { Faults } from "./faults.ts";
import { FunctionUrl } from "./function-url.ts";
import { type BusEvent, Gateway } from "./gateway.ts";
import { type Bootstrap, Lambda } from "./lambda.ts";
import { startS3 } from "./s3-emulator.ts";
import { TableStream, type ViewType } from "./table-stream.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const functionFile = (name: string) => join(repository, "functions", `${name}.ts`);
const smallMessagesFile = fileURLToPath(new URL("small-messages-rpc.ts", import.meta.url));
const workerFile = join(repository, "packages/worker/src/container.ts");
const hostFile = join(repository, "functions/host/main.ts");

export interface CloudOptions {
  /** Settings of functions and workers beside those that name resources: `SORTIE_LIMIT_…`, `SORTIE_LINGER_SECONDS`. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** How many containers run at once. Default 2. */
  readonly containers?: number | undefined;
  /** Whether small jobs run in a function. Default true. */
  readonly inline?: boolean | undefined;
  /** Pause between two sweeps, in milliseconds; a minute in AWS. 0: only when the test says so. Default 400. */
  readonly sweepMs?: number | undefined;
  /** Largest message, in bytes, if it shall be smaller than a deployment's. */
  readonly maxMessageBytes?: number | undefined;
  /** Time limit of the function behind the URL. Default 60 s. */
  readonly rpcTimeoutMs?: number | undefined;
  /** How long a terminated container has to stop, in milliseconds. Default 10 s. */
  readonly stopTimeoutMs?: number | undefined;
  readonly spotNoticeMs?: number | undefined;
  /** The runtime client inside the functions' environments. */
  readonly bootstrap?: Bootstrap | undefined;
  /** For random faults. */
  readonly seed?: number | undefined;
}

const TABLE = "sortie";
const BUCKET = "sortie";
const BUS = "sortie-events";
const QUEUE = "sortie-cpu";
const DEFINITION = "sortie-worker";

const STREAM: { readonly viewType: ViewType; readonly filters: readonly Pattern[] } = {
  viewType: "NEW_IMAGE",
  // The stacks' own: what begins nothing starts no function.
  filters: STREAM_FILTERS as readonly Pattern[],
};
const BATCH_RULE: Pattern = {
  source: ["aws.batch"],
  "detail-type": ["Batch Job State Change"],
  detail: { status: ["FAILED", "SUCCEEDED"] },
};

const open = new Set<Cloud>();
// A run that is cut off leaves no processes.
process.once("exit", () => {
  for (const cloud of open) cloud.raze();
});

export class Cloud implements AsyncDisposable {
  readonly #options: CloudOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), "sortie-cloud-"));
  readonly #closing: (() => Promise<unknown> | unknown)[] = [];
  readonly #workers = new Map<string, ChildProcess>();
  readonly #hosts = new Set<ChildProcess>();
  readonly faults: Faults;
  readonly lambda: Lambda;
  readonly batch: BatchMachine;
  readonly stream: TableStream;
  readonly url: FunctionUrl;
  /** Everything that was put on the service's own bus, repeats included. */
  readonly events: BusEvent[] = [];
  /** Stands between Batch and the function that hears of its jobs: the events that are delivered instead. */
  tamperBatchEvents: ((event: object) => readonly object[]) | undefined;
  #gateway: Gateway | undefined;
  #own: aws.AwsWorkerPlatform | undefined;
  #log = "";
  #sweeping: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: CloudOptions) {
    this.#options = options;
    this.faults = new Faults(options.seed);
    this.lambda = new Lambda({
      environment: () => this.#environment(),
      bootstrap: options.bootstrap,
      onLog: (name, text) => this.#note(name, text),
    });
    this.batch = new BatchMachine({
      capacity: { [QUEUE]: options.containers ?? 2 },
      launch: (job, onExit) => this.#startWorker(job, onExit),
      stopTimeoutMs: options.stopTimeoutMs ?? 10_000,
      spotNoticeMs: options.spotNoticeMs,
      onChange: (job) => this.#onBatchChange(job),
    });
    this.stream = new TableStream({
      ...STREAM,
      batchSize: 10,
      windowMs: 0,
      retries: 5,
      retryMs: 50,
      deliver: (event) => this.lambda.result("dispatch", event),
    });
    this.url = new FunctionUrl(this.lambda, "rpc");
  }

  static async open(options: CloudOptions = {}): Promise<Cloud> {
    const cloud = new Cloud(options);
    open.add(cloud);
    try {
      await cloud.#open();
      return cloud;
    } catch (error) {
      await cloud[Symbol.asyncDispose]();
      throw error;
    }
  }

  get endpoint(): string {
    return this.#gateway?.endpoint ?? "";
  }

  /** What functions and workers have logged. */
  get log(): string {
    return this.#log;
  }

  /** Every caller and action that was seen, as "rpc DynamoDB:GetItem". */
  get actions(): ReadonlySet<string> {
    return this.#gateway?.actions ?? new Set();
  }

  /** The names that functions, workers and tests find their resources by. */
  get settings(): Readonly<Record<string, string>> {
    return {
      SORTIE_TABLE: TABLE,
      SORTIE_BUCKET: BUCKET,
      SORTIE_EVENT_BUS: BUS,
      SORTIE_CPU_QUEUE: QUEUE,
      SORTIE_CPU_DEFINITION: DEFINITION,
      SORTIE_INFER_FUNCTION: "infer",
      ...((this.#options.inline ?? true) && { SORTIE_SOLVE_FUNCTION: "solve" }),
      ...this.#options.settings,
    };
  }

  /** A table and blobs for the test itself, closed with the cloud. */
  worker(): aws.AwsWorkerPlatform {
    if (this.#own) return this.#own;
    const platform = aws.openAwsWorker(aws.readAwsSettings(this.settings), { ...identity, endpoint: this.endpoint });
    this.#closing.push(() => platform[Symbol.asyncDispose]());
    this.#own = platform;
    return platform;
  }

  /** Every row there is: its key, and its sets that are not empty. */
  async rows(): Promise<
    { readonly pk: string; readonly sk: string; readonly sets: Readonly<Record<string, string[]>> }[]
  > {
    const client = new dynamodb.DynamoDBClient({ ...identity, endpoint: this.endpoint });
    try {
      const items: Record<string, dynamodb.AttributeValue>[] = [];
      for await (const page of dynamodb.paginateScan({ client }, { TableName: TABLE, ConsistentRead: true })) {
        items.push(...(page.Items ?? []));
      }
      return items.map((item) => {
        const sets = Object.entries(item).flatMap(([name, { SS }]) => (SS ? [[name, SS] as const] : []));
        return { pk: item["pk"]!.S!, sk: item["sk"]!.S!, sets: Object.fromEntries(sets) };
      });
    } finally {
      client.destroy();
    }
  }

  /** The keys of all objects in the bucket. */
  async objects(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.worker().blobs.list("")) keys.push(key);
    return keys;
  }

  /** The process of a Batch job's container. */
  workerProcess(batchId: string): number | undefined {
    return this.#workers.get(batchId)?.pid;
  }

  /** Starts the host for native gRPC clients as a process; it ends with the cloud. @returns its port */
  async startHost(): Promise<number> {
    const child = this.#spawn(hostFile, { AWS_SDK_UA_APP_ID: "host", SORTIE_HOST_PORT: "0" });
    this.#hosts.add(child);
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#note("host", text));
    const listening = Promise.withResolvers<number>();
    child.once("exit", (code) => listening.reject(new Error(`the host ended with ${code}\n${this.#log}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#note("host", line);
      const { msg, port } = JSON.parse(line) as { readonly msg?: string; readonly port?: number };
      if (msg === "listening" && port !== undefined) listening.resolve(port);
    });
    return listening.promise;
  }

  /** One sweep, now. */
  async sweep(): Promise<void> {
    await this.lambda.result("sweep", {
      version: "0",
      "detail-type": "Scheduled Event",
      source: "aws.events",
      detail: {},
    });
  }

  /** New code or settings: every environment is replaced, and the URL does not answer meanwhile. */
  async takeDown(): Promise<void> {
    await this.url.close();
    await this.lambda.reset();
  }

  async bringUp(): Promise<void> {
    await this.url.open();
  }

  raze(): void {
    this.lambda.kill();
    for (const child of [...this.#workers.values(), ...this.#hosts]) child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#sweeping);
    this.stream.close();
    this.batch.close();
    await this.url.close();
    for (const child of this.#hosts) child.kill("SIGTERM");
    await Promise.all([...this.#hosts].map(ended));
    await this.lambda.close();
    await Promise.all([...this.#workers.values()].map(ended));
    for (const close of this.#closing.reverse()) await close();
    this.raze();
    open.delete(this);
  }

  async #open(): Promise<void> {
    const dynamo = await startDynamo();
    const dynamoEndpoint = dynamo.endpoint;
    this.#closing.push(() => dynamo.close());
    const bucket = await startS3(join(this.#folder, "s3"));
    this.#closing.push(() => bucket.close());
    const gateway = new Gateway({
      dynamoEndpoint,
      s3Endpoint: bucket.endpoint,
      faults: this.faults,
      lambda: this.lambda,
      batch: this.batch,
      onRow: (keys, image) => this.stream.observe(keys, image),
      onEvent: (event) => this.events.push(event),
      onObject: () => undefined,
    });
    await gateway.open();
    this.#gateway = gateway;
    this.#closing.push(() => gateway.close());
    await createResources(dynamoEndpoint, bucket.endpoint);
    this.#deploy();
    this.lambda.warm("rpc", 1);
    this.lambda.warm("dispatch", 1);
    await this.url.open();
    this.#sweepLater();
  }

  #deploy(): void {
    const { inline = true, maxMessageBytes, rpcTimeoutMs = 60_000 } = this.#options;
    const functions = { rpc: 64, infer: 8, dispatch: 4, "batch-event": 2, sweep: 1, ...(inline && { solve: 4 }) };
    for (const [name, concurrency] of Object.entries(functions)) {
      const timeoutMs = name === "rpc" ? rpcTimeoutMs : 120_000;
      this.lambda.deploy({ name, file: functionFile(name), environment: this.settings, timeoutMs, concurrency });
    }
    if (maxMessageBytes === undefined) return;
    const environment = { ...this.settings, TEST_MESSAGE_BYTES: String(maxMessageBytes) };
    this.lambda.deploy({ name: "rpc", file: smallMessagesFile, environment, timeoutMs: rpcTimeoutMs, concurrency: 64 });
  }

  #environment(): Readonly<Record<string, string>> {
    return {
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_REGION: identity.region,
      AWS_ACCESS_KEY_ID: "S3RVER",
      AWS_SECRET_ACCESS_KEY: "S3RVER",
      AWS_EC2_METADATA_DISABLED: "true",
      // Starting a function takes half the time.
      NODE_COMPILE_CACHE: join(tmpdir(), "sortie-compile-cache"),
    };
  }

  #sweepLater(): void {
    const { sweepMs = 400 } = this.#options;
    if (sweepMs === 0 || this.#closed) return;
    this.#sweeping = setTimeout(() => {
      // A sweep that fails is followed by the next.
      this.sweep()
        .catch((error) => this.#note("sweep", String(error)))
        .finally(() => this.#sweepLater());
    }, sweepMs);
  }

  #onBatchChange(job: BatchJobState): void {
    const event = batchEvent(job);
    if (!matches(BATCH_RULE, event)) return;
    for (const each of this.tamperBatchEvents?.(event) ?? [event]) this.lambda.start("batch-event", each);
  }

  #startWorker(job: BatchJobState, onExit: OnExit): Task {
    const child = this.#spawn(workerFile, {
      AWS_SDK_UA_APP_ID: "worker",
      AWS_BATCH_JOB_ID: job.id,
      ...job.environment,
    });
    this.#workers.set(job.id, child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => this.#note("worker", text));
    }
    const exit = (code: number) => {
      this.#workers.delete(job.id);
      onExit(code);
    };
    child.once("error", () => exit(127));
    child.once("exit", (code, signal) => exit(code ?? (signal === "SIGTERM" ? 143 : 137)));
    return { kill: (signal) => void child.kill(signal) };
  }

  #spawn(file: string, environment: Readonly<Record<string, string>>) {
    return spawn(process.execPath, ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning", file], {
      cwd: repository,
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        TMPDIR: process.env["TMPDIR"],
        ...this.#environment(),
        ...this.settings,
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  #note(name: string, text: string): void {
    this.#log += text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => `[${name}] ${line}\n`)
      .join("");
  }
}

async function createResources(dynamoEndpoint: string, s3Endpoint: string): Promise<void> {
  const table = new dynamodb.DynamoDBClient({ ...identity, endpoint: dynamoEndpoint });
  const bucket = new s3.S3Client({ ...identity, endpoint: s3Endpoint, forcePathStyle: true });
  try {
    await bucket.send(new s3.CreateBucketCommand({ Bucket: BUCKET }));
    await table.send(new dynamodb.CreateTableCommand(aws.tableDefinition(TABLE)));
    const timing = { client: table, maxWaitTime: 60, minDelay: 0.02, maxDelay: 1 };
    await dynamodb.waitUntilTableExists(timing, { TableName: TABLE });
  } finally {
    table.destroy();
    bucket.destroy();
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
