// A server on loopback whose answers a test writes, call by call, and which notes every call that arrives.
//
// It speaks the real protocols (gRPC over HTTP/2, or Connect over HTTP/1.1) and knows nothing of jobs: what is not scripted is
// answered with an error that says so. It does not claim to be Sortie unless it is told to.
import { once } from "node:events";
import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server, createSecureServer, type Http2Session } from "node:http2";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import { create, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { CuOptRemoteService, JobStatus } from "@sortie/wire";
import { onTestFinished } from "vitest";

type Methods = typeof CuOptRemoteService.method;
export type MethodName = keyof Methods;
type Request<M extends MethodName> = MessageShape<Methods[M]["input"]>;
type Reply<M extends MethodName> = MessageInitShape<Methods[M]["output"]>;
/** The answer of one call: messages for a stream, one message for any other method. */
type Answer<M extends MethodName> = Methods[M]["methodKind"] extends "server_streaming"
  ? Iterable<Reply<M>> | AsyncIterable<Reply<M>>
  : Reply<M> | Promise<Reply<M>>;
type AnswerWith<M extends MethodName> = (request: Request<M>, call: Call<M>) => Answer<M>;
/** Either how every call is answered, or what the first, second … call is answered; an error is thrown at the caller. */
type Answers<M extends MethodName> = AnswerWith<M> | readonly (Answer<M> | Error | AnswerWith<M>)[];

export type Script = { readonly [M in MethodName]?: Answers<M> };

/** One call as it arrived. */
export interface Call<M extends MethodName = MethodName> {
  readonly method: M;
  readonly request: Request<M>;
  /** Bytes of the encoded request message. */
  readonly bytes: number;
  readonly header: Headers;
  /** When it arrived, in milliseconds on the monotonic clock. */
  readonly at: number;
  /** Aborted when the client has left, or its deadline has passed, before the answer was complete. */
  readonly signal: AbortSignal;
}

export interface ScriptedOptions {
  /** Default: gRPC over HTTP/2. "connect" is Connect over HTTP/1.1. */
  readonly protocol?: "grpc" | "connect" | undefined;
  /** How the probe of a connecting client is answered. Default: as a server does that knows no such job. */
  readonly probe?: AnswerWith<"checkStatus"> | undefined;
  /** The message limit that the probe is told. Default 256 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** The server says that it is Sortie, of this version. */
  readonly sortieVersion?: string | undefined;
  /** PEM: the server speaks TLS. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

export const PROBE_ID = "__connection_probe__";
const MIB = 1024 * 1024;

export class ScriptedServer {
  /** Every call, in order of arrival, the probe too. */
  readonly calls: Call[] = [];
  /** How many connections it has taken. */
  connections = 0;
  readonly #script: Script;
  readonly #options: ScriptedOptions;
  readonly #server: NetServer;
  readonly #sessions = new Set<Http2Session>();
  readonly #sockets = new Set<Socket>();

  constructor(script: Script, options: ScriptedOptions) {
    this.#script = script;
    this.#options = options;
    const { protocol = "grpc", tls, sortieVersion } = options;
    const adapter = connectNodeAdapter({
      routes: (router) => {
        const methods = Object.keys(CuOptRemoteService.method) as MethodName[];
        router.service(CuOptRemoteService, Object.fromEntries(methods.map((name) => [name, this.#handler(name)])));
      },
    });
    const listener: typeof adapter = (request, response) => {
      if (sortieVersion !== undefined) response.setHeader("sortie-version", sortieVersion);
      adapter(request, response);
    };
    if (protocol === "connect") {
      this.#server = createHttp1Server(listener);
    } else {
      const server = tls ? createSecureServer({ ...tls }, listener) : createHttp2Server(listener);
      server.on("session", (session) => {
        this.#sessions.add(session);
        session.once("close", () => this.#sessions.delete(session));
      });
      this.#server = server;
    }
    this.#server.on("connection", (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What a client is given: `HOST:PORT` for gRPC, a URL for Connect. */
  get address(): string {
    // A certificate is for a name.
    const place = `${this.#options.tls ? "localhost" : "127.0.0.1"}:${this.port}`;
    return this.#options.protocol === "connect" ? `http://${place}` : place;
  }

  /** The methods that were called, in order, without the probe. */
  get methods(): MethodName[] {
    return this.calls.filter((call) => !isProbe(call)).map(({ method }) => method);
  }

  /** The calls of one method, without the probe. */
  callsOf<M extends MethodName>(method: M): Call<M>[] {
    return this.calls.filter((call): call is Call<M> => call.method === method && !isProbe(call));
  }

  requestsOf<M extends MethodName>(method: M): Request<M>[] {
    return this.callsOf(method).map(({ request }) => request);
  }

  /** Drops every connection without a word, and takes no new one. */
  async crash(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, "close") : undefined;
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #handler<M extends MethodName>(method: M) {
    const { methodKind, input, output } = CuOptRemoteService.method[method] as Methods["checkStatus"];
    let next = 0;
    const note = (request: Request<M>, { requestHeader: header, signal }: HandlerContext) => {
      const bytes = toBinary(input, request as Request<"checkStatus">).byteLength;
      const call: Call<M> = { method, request, bytes, header, signal, at: performance.now() };
      this.calls.push(call as unknown as Call);
      return call;
    };
    const answer = (call: Call<M>): Answer<M> => {
      const answers = this.#script[method] as Answers<M> | undefined;
      if (isProbe(call as unknown as Call)) return this.#probe(call as unknown as Call<"checkStatus">) as Answer<M>;
      if (typeof answers === "function") return answers(call.request, call);
      const scripted = answers?.[next++];
      if (scripted === undefined) throw new ConnectError(`call ${next} of ${method} is not scripted`, Code.Internal);
      if (scripted instanceof Error) throw scripted;
      return typeof scripted === "function" ? (scripted as AnswerWith<M>)(call.request, call) : scripted;
    };
    if ((methodKind as string) === "server_streaming") {
      return async function* (request: Request<M>, context: HandlerContext) {
        yield* answer(note(request, context)) as AsyncIterable<Reply<M>>;
      };
    }
    return async (request: Request<M>, context: HandlerContext) =>
      create(output, (await answer(note(request, context))) as Reply<"checkStatus">);
  }

  #probe(call: Call<"checkStatus">): Answer<"checkStatus"> {
    const { probe, maxMessageBytes = 256 * MIB } = this.#options;
    return probe?.(call.request, call) ?? { jobStatus: JobStatus.NOT_FOUND, maxMessageBytes: BigInt(maxMessageBytes) };
  }
}

const isProbe = ({ method, request }: Call): boolean =>
  method === "checkStatus" && (request as Request<"checkStatus">).jobId === PROBE_ID;

/** A scripted server for the running test. */
export async function scriptedServer(script: Script = {}, options: ScriptedOptions = {}): Promise<ScriptedServer> {
  const server = new ScriptedServer(script, options);
  onTestFinished(() => server.crash());
  return server.start();
}

/** What a call is answered that fails. */
export const fault = (code: Code, text: string): ConnectError => new ConnectError(text, code);
