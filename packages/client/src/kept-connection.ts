// The HTTP/2 connection to a server: one for all calls, opened when needed, asked for signs of life also when there is no call.
//
// Around connect-node's manager, to close four gaps of it. Its own pings of idle connections go on after the connection was
// lost, and then end the process; so does a connection that fails while the manager gives it up, as it does where the peer
// speaks no HTTP/2; a call whose stream the server ends without an answer waits for ever; and a call on a connection that is
// lost counts as cancelled, which only its caller can do.
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type SecureClientSessionOptions,
} from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { Http2SessionManager } from "@connectrpc/connect-node";

export interface Keepalive {
  /** Milliseconds without a sign of life after which one is asked for. */
  readonly pingIntervalMs: number;
  /** Milliseconds after which a connection that gives none is given up. */
  readonly pingTimeoutMs: number;
}

/** How often an idle connection is looked at, in parts of the interval. */
const LOOKS_PER_INTERVAL = 6;

export class KeptConnection {
  readonly authority: string;
  readonly #manager: Http2SessionManager;
  readonly #lookMs: number;
  /** Those whose errors are heard. */
  readonly #heard = new WeakSet<ClientHttp2Session>();
  #looking: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(baseUrl: string, keepalive: Keepalive, options: SecureClientSessionOptions = {}) {
    this.#manager = new Http2SessionManager(baseUrl, { ...keepalive, pingIdleConnection: false }, options);
    this.authority = this.#manager.authority;
    this.#lookMs = keepalive.pingIntervalMs / LOOKS_PER_INTERVAL;
  }

  async request(...request: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    if (this.#isClosed) throw new ConnectError("the connection is closed", Code.Canceled);
    this.#looking ??= setInterval(() => this.#look(), this.#lookMs).unref();
    const stream = await this.#manager.request(...request);
    const { session } = stream;
    if (session && !this.#heard.has(session as ClientHttp2Session)) {
      this.#heard.add(session as ClientHttp2Session);
      // Its calls learn of it, and need no other to hear it.
      session.on("error", () => undefined);
    }
    let isAnswered = false;
    stream.once("response", () => {
      isAnswered = true;
    });
    stream.once("close", () => {
      const { rstCode } = stream;
      const isLost = session?.destroyed === true;
      const isCancelled = rstCode === constants.NGHTTP2_CANCEL && isLost;
      const isSilent = rstCode === constants.NGHTTP2_NO_ERROR && !isAnswered;
      if (!isCancelled && !isSilent) return;
      // Whoever listens to the stream learns of nothing else.
      const text = isLost ? "the connection to the server was lost" : "the server ended the call without an answer";
      stream.emit("error", new ConnectError(text, Code.Unavailable));
    });
    return stream;
  }

  notifyResponseByteRead(stream: ClientHttp2Stream): void {
    this.#manager.notifyResponseByteRead(stream);
  }

  /** Ends the connection and every call on it. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#looking);
    this.#manager.abort();
  }

  #look(): void {
    // Asks for a sign of life if there was none for an interval, and connects again where none comes.
    if (this.#manager.state() === "idle") void this.#manager.connect();
  }
}
