// A large problem through the function and S3: the handler's memory must not grow with it, the worker's only by its arrays.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import * as dynamodb from "@aws-sdk/client-dynamodb";
import * as s3 from "@aws-sdk/client-s3";
import { fromBinary } from "@bufbuild/protobuf";
import { createToken, jobIdFor, requireJob, submitJob } from "@sortie/core";
import * as aws from "@sortie/platform-aws";
import { CuOptRemoteService } from "@sortie/wire";
import { bundleFunctions } from "../../scripts/bundle-functions.ts";
import { FunctionUrl } from "../aws/function-url.ts";
import { Lambda } from "../aws/lambda.ts";
import { boundedLp, chunksOf } from "../faults/problems.ts";
import { type ChunkPlace, encodeChunk, fillChunk, largeMatrix, placesOf } from "./chunks.ts";
import { CUOPT, encode, inFlight } from "./http2.ts";
import { ownProcesses, peakMemory } from "./processes.ts";
import { type Bench, type Measure, MIB, secondsOf } from "./report.ts";

const { startChunkedUpload, finishChunkedUpload } = CuOptRemoteService.method;

/** Calls at once, each in a function environment of its own. */
const WIDTH = 2;
/** Nine tenths of the function's largest message. */
const CHUNK_BYTES = 3.6 * MIB;
const TENANT = "bench";
const LOG_CHARACTERS = 4_000;
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

function startProgram(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  log: "inherit" | "ignore" = "inherit",
): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, file, ...args], { env, stdio: ["pipe", "pipe", log] });
}

/** The deployment: emulators in a process of their own, the function in others, behind its URL. */
class Deployment implements AsyncDisposable {
  readonly #emulators = startProgram(here("emulators.ts"), [], process.env);
  readonly #agent = new Agent({ keepAlive: true });
  readonly #folder = mkdtempSync(join(tmpdir(), "sortie-bench-functions-"));
  #lambda: Lambda | undefined;
  #url: FunctionUrl | undefined;
  #platform: aws.AwsPlatform | undefined;
  #token = "";
  /** The end of what the function has said. */
  #log = "";
  environment: NodeJS.ProcessEnv = {};

  static async open(): Promise<Deployment> {
    const deployment = new Deployment();
    try {
      await deployment.#open();
    } catch (error) {
      await deployment[Symbol.asyncDispose]();
      throw error;
    }
    return deployment;
  }

  get platform(): aws.AwsPlatform {
    return this.#platform!;
  }

  async #open(): Promise<void> {
    const [line] = (await once(this.#emulators.stdout!.setEncoding("utf8"), "data")) as [string];
    const endpoints = JSON.parse(line) as { readonly table: string; readonly objects: string };
    const settings = {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "S3RVER",
      AWS_SECRET_ACCESS_KEY: "S3RVER",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_ENDPOINT_URL_DYNAMODB: endpoints.table,
      AWS_ENDPOINT_URL_S3: endpoints.objects,
      SORTIE_TABLE: "sortie",
      SORTIE_BUCKET: "sortie",
      SORTIE_CPU_QUEUE: "cpu",
      SORTIE_CPU_DEFINITION: "worker",
    };
    this.environment = {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      TMPDIR: process.env["TMPDIR"],
      ...settings,
    };
    Object.assign(process.env, settings);
    const database = new dynamodb.DynamoDBClient({});
    await database.send(new dynamodb.CreateTableCommand(aws.tableDefinition("sortie")));
    await dynamodb.waitUntilTableExists({ client: database, maxWaitTime: 60, minDelay: 0.05 }, { TableName: "sortie" });
    const store = new s3.S3Client({ forcePathStyle: true });
    await store.send(new s3.CreateBucketCommand({ Bucket: "sortie" }));
    const onFault = (what: string, error: unknown) => process.stderr.write(`${what}: ${error}\n`);
    this.#platform = aws.openAwsFront(aws.readAwsSettings(settings), { onFault });
    this.#token = (await createToken(this.#platform, { tenant: TENANT })).token;
    this.#lambda = new Lambda({
      environment: () => settings,
      onLog: (_, text) => {
        this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
      },
    });
    const [bundle] = await bundleFunctions(this.#folder, { names: ["rpc"] });
    const file = join(bundle!.folder, "index.mjs");
    this.#lambda.deploy({ name: "rpc", file, environment: {}, timeoutMs: 60_000, concurrency: WIDTH });
    this.#url = new FunctionUrl(this.#lambda, "rpc");
    await this.#url.open();
  }

  /** A unary call in Connect's protocol. @returns the encoded answer */
  async call(method: string, message: readonly Uint8Array[]): Promise<Buffer> {
    const headers = {
      "content-type": "application/proto",
      "connect-protocol-version": "1",
      authorization: `Bearer ${this.#token}`,
    };
    const target = { host: "127.0.0.1", port: this.#url!.port, path: `/${CUOPT}/${method}` };
    const request = httpRequest({ ...target, agent: this.#agent, method: "POST", headers });
    request.end(message.length === 1 ? message[0] : Buffer.concat(message));
    const [response] = await once(request, "response");
    const body = await buffer(response);
    if (response.statusCode !== 200) {
      throw new Error(`${method}: HTTP ${response.statusCode} ${body.toString()}\n${this.#log}`);
    }
    return body;
  }

  async startUpload(): Promise<string> {
    const request = encode(startChunkedUpload.input, { problemHeader: { header: { version: 1 } } });
    return fromBinary(startChunkedUpload.output, await this.call("StartChunkedUpload", request)).uploadId;
  }

  /** The most that one of the function's processes has had in memory, MiB. */
  get handlerPeak(): number {
    return Math.max(...ownProcesses(join(this.#folder, "rpc")).map(peakMemory));
  }

  /** The next calls find fresh processes. */
  async freshHandlers(): Promise<void> {
    await this.#lambda?.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await this.#url?.close();
    await this.#lambda?.close();
    await this.#platform?.[Symbol.asyncDispose]();
    const ended = once(this.#emulators, "exit");
    this.#emulators.stdin?.end();
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface Uploaded {
  readonly uploadId: string;
  readonly places: readonly ChunkPlace[];
  readonly seconds: number;
  readonly idle: number;
  readonly peak: number;
}

/** A problem of this size through fresh processes of the function, made as it goes. */
async function upload(deployment: Deployment, mebibytes: number): Promise<Uploaded> {
  await deployment.freshHandlers();
  const uploadId = await deployment.startUpload();
  const idle = deployment.handlerPeak;
  const places = placesOf(largeMatrix(mebibytes * MIB), CHUNK_BYTES);
  const seconds = await secondsOf(() =>
    inFlight(WIDTH, places.length, (i) =>
      deployment.call("SendArrayChunk", encodeChunk(uploadId, places[i]!, fillChunk(places[i]!))),
    ),
  );
  // All that the finish looks at, it does, and then refuses: a matrix alone is no model.
  const refusal = await deployment.call("FinishChunkedUpload", encode(finishChunkedUpload.input, { uploadId })).then(
    () => "no fault",
    (error: Error) => error.message,
  );
  if (!refusal.includes("ValidationError")) throw new Error(`the finish said: ${refusal}`);
  return { uploadId, places, seconds, idle, peak: deployment.handlerPeak };
}

/** The same bytes put to the store, and got from it, the plainest way. */
async function plainTransfer(places: readonly ChunkPlace[]): Promise<{ put: number; get: number }> {
  const store = new s3.S3Client({ forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" });
  const keyOf = (i: number) => ({ Bucket: "sortie", Key: `plain/${i}` });
  const put = await secondsOf(() =>
    inFlight(WIDTH, places.length, (i) =>
      store.send(new s3.PutObjectCommand({ ...keyOf(i), Body: fillChunk(places[i]!) })),
    ),
  );
  const get = await secondsOf(() =>
    inFlight(8, places.length, async (i) => {
      const { Body } = await store.send(new s3.GetObjectCommand(keyOf(i)));
      for await (const _ of Body as AsyncIterable<Uint8Array>);
    }),
  );
  return { put, get };
}

interface Loaded {
  readonly idle: number;
  readonly peak: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** A job with the upload's arrays for its input, loaded by a worker. */
async function load({ platform, environment }: Deployment, uploadId: string): Promise<Loaded> {
  const caller = { tenant: TENANT };
  const jobId = jobIdFor(platform, caller, {});
  const needs = { kind: "lp", memoryBytes: 2 ** 30, elements: 1, usesGpu: false } as const;
  await submitJob(platform, caller, jobId, { needs, work: {} }, async () => ({ kind: "upload", uploadId }), Date.now());
  const loader = startProgram(here("s3-loader.ts"), [jobId], environment);
  const [output] = await Promise.all([text(loader.stdout!), once(loader, "exit")]);
  if (loader.exitCode !== 0) throw new Error(`the loader ended with ${loader.exitCode}`);
  return JSON.parse(output) as Loaded;
}

/** An LP that presolve empties, from its chunks to its answer, by the program that containers run. */
async function solve(deployment: Deployment, variables: number): Promise<Loaded> {
  const problem = boundedLp(Float64Array.from({ length: variables }, (_, i) => i % 1000));
  const uploadId = await deployment.startUpload();
  let bytes = 0;
  const chunks = chunksOf(problem, CHUNK_BYTES);
  await inFlight(WIDTH, chunks.length, async (i) => {
    const { fieldId, elementOffset, totalElements, data } = chunks[i]!;
    const place = {
      fieldId,
      offset: Number(elementOffset),
      elements: Number(totalElements),
      elementBytes: 1,
      count: 0,
    };
    bytes += data.byteLength;
    await deployment.call("SendArrayChunk", encodeChunk(uploadId, place, data));
  });
  const finish = encode(finishChunkedUpload.input, { uploadId });
  const { jobId } = fromBinary(finishChunkedUpload.output, await deployment.call("FinishChunkedUpload", finish));
  const environment = {
    ...deployment.environment,
    SORTIE_JOB_ID: jobId,
    SORTIE_PLACEMENT: "cpu",
    SORTIE_LINGER_SECONDS: "3600",
    AWS_BATCH_JOB_ID: "00000000-0000-4000-8000-000000000001",
  };
  const worker = startProgram(here("../../packages/worker/src/container.ts"), [], environment, "ignore");
  const caller = { tenant: TENANT };
  const stateOf = async () => (await requireJob(deployment.platform, caller, jobId)).state;
  const exit = once(worker, "exit");
  let state = await stateOf();
  let idle = 0;
  while (worker.exitCode === null && (state === "queued" || state === "processing")) {
    // Up to the claim the engine gets ready.
    if (state === "queued") idle = peakMemory(worker.pid!);
    await new Promise((resolve) => setTimeout(resolve, 50));
    state = await stateOf();
  }
  const peak = peakMemory(worker.pid!);
  worker.kill("SIGTERM");
  await exit;
  const { failure = "", timings } = await requireJob(deployment.platform, caller, jobId);
  if (state !== "completed") throw new Error(`the LP ended as ${state} ${failure}`);
  return { idle, peak, bytes, seconds: (timings.load ?? 0) + (timings.solve ?? 0) };
}

export const s3Bench: Bench = {
  name: "s3",
  about: "a problem in chunks through the function behind its URL into S3, and from there into a worker",
  async run({ short }) {
    const [small, large] = short ? [16, 64] : [256, 1024];
    const variables = short ? 100_000 : 1_200_000;
    await using deployment = await Deployment.open();
    const first = await upload(deployment, small);
    const second = await upload(deployment, large);
    const plain = await plainTransfer(second.places);
    const loaded = await load(deployment, second.uploadId);
    const solved = await solve(deployment, variables);
    // Small inputs tell nothing about growth.
    const goal = (text: string, isMet: boolean) => (short ? undefined : { text, isMet });
    const arrays = loaded.bytes / MIB;
    const measures: Measure[] = [
      {
        what: `peak of the handler, ${small} MiB`,
        value: first.peak,
        unit: "MiB",
        baseline: { what: "idle", value: first.idle },
      },
      {
        what: `peak of the handler, ${large} MiB`,
        value: second.peak,
        unit: "MiB",
        baseline: { what: `with ${small} MiB`, value: first.peak },
        goal: goal("at most 10 % more", second.peak <= 1.1 * first.peak),
      },
      {
        what: "upload",
        value: large / second.seconds,
        unit: "MiB/s",
        baseline: { what: "PutObject alone", value: large / plain.put },
      },
      {
        what: `peak of the worker, ${large} MiB loaded, less its idle memory`,
        value: loaded.peak - loaded.idle,
        unit: "MiB",
        baseline: { what: "the arrays", value: arrays },
        goal: goal("at most a tenth and 100 MiB more", loaded.peak - loaded.idle <= 1.1 * arrays + 100),
      },
      {
        what: "load",
        value: arrays / loaded.seconds,
        unit: "MiB/s",
        baseline: { what: "GetObject alone", value: large / plain.get },
      },
      {
        what: `peak of the worker, an LP of ${(solved.bytes / MIB).toFixed(0)} MiB loaded and solved`,
        value: solved.peak,
        unit: "MiB",
        baseline: { what: "idle, its engine ready", value: solved.idle },
      },
    ];
    return {
      input: `${small} and ${large} MiB in chunks of ${CHUNK_BYTES / MIB} MiB, ${WIDTH} in flight; emulators on this machine`,
      measures,
    };
  },
};
