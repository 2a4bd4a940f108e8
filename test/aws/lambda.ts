// Functions as Lambda runs them: each in environments of its own, which are processes that speak the runtime API, one
// event at a time; more events than environments start more of them. Streamed answers, asynchronous calls with retries,
// time limits, and environments that die.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** What a synchronous call may carry, in bytes of JSON. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const REQUEST_BYTES = 6 * 1024 * 1024;

export interface FunctionDefinition {
  readonly name: string;
  /** The module that exports `handler`. */
  readonly file: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Environments at once; beyond it calls are throttled. */
  readonly concurrency: number;
}

/** Starts the program of an environment; the file and export are the last argument. */
export type Bootstrap = (definition: FunctionDefinition) => {
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
};

export class FunctionError extends Error {
  override readonly name = "FunctionError";
  readonly errorType: string;

  constructor(errorType: string, message: string) {
    super(`${errorType}: ${message}`);
    this.errorType = errorType;
  }
}

export class ThrottledError extends Error {
  override readonly name = "ThrottledError";
}

/** What a function answered: whole, or as it comes. */
export interface Answer {
  readonly contentType: string;
  readonly body: Readable;
}

interface Invocation {
  readonly id: string;
  readonly event: unknown;
  readonly answer: PromiseWithResolvers<Answer>;
  timer?: NodeJS.Timeout;
}

const VERSION = "/2018-06-01/runtime";
const ownClient = fileURLToPath(new URL("runtime-client.ts", import.meta.url));
const repository = fileURLToPath(new URL("../..", import.meta.url));

/** The small runtime client of these tests. */
const ownBootstrap: Bootstrap = ({ file }) => ({ args: [ownClient, `${file}#handler`] });

const NODE_FLAGS = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];

export interface LambdaOptions {
  /** For every environment beside the definition's own. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly bootstrap?: Bootstrap | undefined;
  /** Pause before the first and second repeat of an asynchronous call that failed; minutes in AWS. */
  readonly retryMs?: readonly number[] | undefined;
  /** Lines that functions log. */
  readonly onLog?: ((name: string, text: string) => void) | undefined;
}

/** One process that serves one function. */
class Environment {
  readonly #definition: FunctionDefinition;
  readonly #options: LambdaOptions;
  readonly #server: Server;
  #child: ChildProcess | undefined;
  /** The request for the next event, while the environment is idle. */
  #waiting: ServerResponse | undefined;
  #current: Invocation | undefined;
  #queued: Invocation | undefined;
  /** The current event has its whole answer. */
  #answered = false;
  #dead = false;
  readonly #onDead: () => void;

  constructor(definition: FunctionDefinition, options: LambdaOptions, onDead: () => void) {
    this.#definition = definition;
    this.#options = options;
    this.#onDead = onDead;
    // An answer may begin long after its connection was taken.
    const patient = { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 };
    this.#server = createServer(patient, (request, response) => {
      this.#serve(request, response).catch((error) => this.#die("Runtime.Unknown", String(error)));
    });
    this.#server.listen(0, "127.0.0.1", () => this.#start());
  }

  /** Can take an event, at once or as soon as it asks for the next. */
  get isFree(): boolean {
    return !this.#dead && this.#queued === undefined && (this.#current === undefined || this.#answered);
  }

  get current(): unknown {
    return (this.#current ?? this.#queued)?.event;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  give(invocation: Invocation): void {
    this.#queued = invocation;
    this.#pump();
  }

  kill(): void {
    if (this.#child) this.#child.kill("SIGKILL");
    else this.#die("Runtime.ExitError", "the environment was ended");
  }

  #start(): void {
    if (this.#dead) return;
    const { name, environment } = this.#definition;
    const { port } = this.#server.address() as AddressInfo;
    const bootstrap = (this.#options.bootstrap ?? ownBootstrap)(this.#definition);
    const child = spawn(process.execPath, [...NODE_FLAGS, ...bootstrap.args], {
      cwd: repository,
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        TMPDIR: process.env["TMPDIR"],
        ...this.#options.environment(),
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
        AWS_LAMBDA_FUNCTION_NAME: name,
        AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1024",
        AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
        AWS_LAMBDA_LOG_STREAM_NAME: "stream",
        AWS_SDK_UA_APP_ID: name,
        ...environment,
        ...bootstrap.environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (part: string) => this.#options.onLog?.(name, part));
    }
    child.once("error", (error) => this.#die("Runtime.InvalidEntrypoint", String(error)));
    child.once("exit", (code, signal) => {
      this.#die(
        "Runtime.ExitError",
        `RequestId: ${this.#current?.id} Error: Runtime exited with ${signal ?? `exit status ${code}`}`,
      );
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.slice(VERSION.length) ?? "";
    if (path === "/invocation/next") {
      const finished = this.#current;
      this.#current = undefined;
      clearTimeout(finished?.timer);
      finished?.answer.reject(new FunctionError("Runtime.NoAnswer", "the function asked for its next event instead"));
      this.#waiting = response;
      this.#pump();
      return;
    }
    if (path === "/init/error") {
      const { errorType, errorMessage } = JSON.parse(await text(request));
      response.writeHead(202).end("{}");
      return this.#die(errorType, errorMessage);
    }
    const [, id, what] = /^\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    const invocation = this.#current;
    if (!invocation || invocation.id !== id) {
      response.writeHead(400).end("{}");
      return;
    }
    if (what === "error") {
      const { errorType, errorMessage } = JSON.parse(await text(request));
      this.#answered = true;
      invocation.answer.reject(new FunctionError(errorType, errorMessage));
      response.writeHead(202).end("{}");
      return;
    }
    const body = new PassThrough();
    const contentType = request.headers["content-type"] ?? "application/json";
    invocation.answer.resolve({ contentType, body });
    request.on("data", (part: Buffer) => {
      // Lambda takes what comes, whatever the client's speed; memory is the price.
      body.write(part);
    });
    request.once("end", () => {
      this.#answered = true;
      const failed = request.trailers["lambda-runtime-function-error-type"];
      if (failed !== undefined) body.destroy(new FunctionError(String(failed), "the stream ended with an error"));
      else body.end();
      response.writeHead(202).end("{}");
    });
    request.once("error", (error) => body.destroy(error));
  }

  #pump(): void {
    const invocation = this.#queued;
    if (!this.#waiting || !invocation || this.#dead) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#queued = undefined;
    this.#current = invocation;
    this.#answered = false;
    const { timeoutMs, name } = this.#definition;
    invocation.timer = setTimeout(() => {
      this.#child?.kill("SIGKILL");
      this.#die(
        "Sandbox.Timedout",
        `RequestId: ${invocation.id} Error: Task timed out after ${timeoutMs / 1000} seconds`,
      );
    }, timeoutMs);
    waiting.writeHead(200, {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": invocation.id,
      "lambda-runtime-deadline-ms": String(Date.now() + timeoutMs),
      "lambda-runtime-invoked-function-arn": `arn:aws:lambda:us-east-1:123456789012:function:${name}`,
      "lambda-runtime-trace-id": "Root=1-00000000-000000000000000000000000;Sampled=0",
    });
    waiting.end(JSON.stringify(invocation.event));
  }

  #die(errorType: string, message: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#server.close();
    this.#server.closeAllConnections();
    for (const invocation of [this.#current, this.#queued]) {
      if (!invocation) continue;
      clearTimeout(invocation.timer);
      const error = new FunctionError(errorType, message);
      invocation.answer.promise.then(
        ({ body }) => body.destroyed || body.readableEnded || body.destroy(error),
        () => undefined,
      );
      invocation.answer.reject(error);
    }
    this.#current = undefined;
    this.#queued = undefined;
    this.#onDead();
  }

  /** Ends the process and waits for its end. */
  async close(): Promise<void> {
    const child = this.#child;
    this.#die("Runtime.ExitError", "the environment was ended");
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}

interface Deployed {
  readonly definition: FunctionDefinition;
  readonly environments: Set<Environment>;
}

export class Lambda {
  readonly #options: LambdaOptions;
  readonly #functions = new Map<string, Deployed>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #failedAsync: { readonly name: string; readonly event: unknown; readonly error: Error }[] = [];
  readonly #open = new Set<Environment>();
  #closed = false;

  constructor(options: LambdaOptions) {
    this.#options = options;
  }

  deploy(definition: FunctionDefinition): void {
    this.#functions.set(definition.name, { definition, environments: new Set() });
  }

  has(name: string): boolean {
    return this.#functions.has(name);
  }

  /** Asynchronous calls that failed to the last: what a dead-letter queue would hold. */
  get deadLetters(): readonly { readonly name: string; readonly event: unknown; readonly error: Error }[] {
    return this.#failedAsync;
  }

  /** The events that are being worked on. */
  running(name: string): unknown[] {
    return [...(this.#functions.get(name)?.environments ?? [])]
      .map((each) => each.current)
      .filter((event) => event !== undefined);
  }

  /** The process that works on an event. */
  processOf(name: string, is: (event: unknown) => boolean): number | undefined {
    const environments = [...(this.#functions.get(name)?.environments ?? [])];
    return environments.find(({ current }) => current !== undefined && is(current))?.pid;
  }

  /** Starts environments ahead of their calls. */
  warm(name: string, count: number): void {
    const deployed = this.#deployed(name);
    while (deployed.environments.size < count) this.#newEnvironment(deployed);
  }

  /** Kills the processes of a function, or of all. */
  kill(name?: string): void {
    for (const [each, { environments }] of this.#functions) {
      if (name === undefined || each === name) for (const environment of environments) environment.kill();
    }
  }

  /** Calls a function and gives its answer as it comes. @throws ThrottledError, FunctionError */
  async call(name: string, event: unknown): Promise<Answer> {
    const deployed = this.#deployed(name);
    const invocation: Invocation = {
      id: randomUUID(),
      event,
      answer: Promise.withResolvers(),
    };
    let environment = [...deployed.environments].find((each) => each.isFree);
    if (!environment) {
      if (deployed.environments.size >= deployed.definition.concurrency) throw new ThrottledError("Rate Exceeded.");
      environment = this.#newEnvironment(deployed);
    }
    environment.give(invocation);
    return invocation.answer.promise;
  }

  /** Calls a function and waits for its whole answer, parsed. */
  async result(name: string, event: unknown): Promise<unknown> {
    const { body } = await this.call(name, event);
    const whole = await text(body);
    return whole === "" ? undefined : JSON.parse(whole);
  }

  /** Takes the event and answers at once; a call that fails is repeated twice. */
  start(name: string, event: unknown, attempt = 0): void {
    if (this.#closed) return;
    this.result(name, event).catch((error: Error) => {
      if (this.#closed) return;
      // Throttled calls wait in the function's own queue for hours.
      const throttled = error instanceof ThrottledError;
      const pause = throttled ? 20 : (this.#options.retryMs ?? [50, 100])[attempt];
      if (pause === undefined) {
        this.#failedAsync.push({ name, event, error });
        return;
      }
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.start(name, event, throttled ? attempt : attempt + 1);
      }, pause);
      this.#timers.add(timer);
    });
  }

  /** Ends every environment; the functions stay, and their next calls start anew. */
  async reset(): Promise<void> {
    await Promise.all([...this.#open].map((environment) => environment.close()));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.reset();
  }

  #newEnvironment(deployed: Deployed): Environment {
    if (this.#closed) throw new Error("the functions were closed");
    const environment: Environment = new Environment(deployed.definition, this.#options, () => {
      deployed.environments.delete(environment);
    });
    deployed.environments.add(environment);
    this.#open.add(environment);
    return environment;
  }

  #deployed(name: string): Deployed {
    const deployed = this.#functions.get(name);
    if (!deployed) throw new Error(`Function not found: ${name}`);
    return deployed;
  }
}
