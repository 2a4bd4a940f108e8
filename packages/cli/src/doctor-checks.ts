// What `sortie doctor` looks at, one thing after the other, from the name of the host up to the server's clock.
import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls, type PeerCertificate } from "node:tls";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { CuOptRemoteService, Health, HealthCheckResponse_ServingStatus } from "@sortie/wire";
import { bytesText, durationText } from "./format.ts";

export interface Check {
  /** What was looked at: "name", "connection", "tls", … */
  readonly name: string;
  readonly state: "ok" | "warn" | "fail";
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string | undefined;
}

export type Protocol = "grpc" | "connect";

/** The server that is looked at, and how it would be called. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** The protocol that was chosen; that the server speaks the other as well is good to know, no more. */
  readonly protocol: Protocol;
  /** PEM texts; absent: clear text. */
  readonly tls?:
    | { readonly root?: string | undefined; readonly cert?: string | undefined; readonly key?: string | undefined }
    | undefined;
  readonly hasToken: boolean;
  /** The version of this program. */
  readonly version: string;
  /** How long one look may take, milliseconds. */
  readonly timeoutMs: number;
  transport(protocol: Protocol, options?: { readonly withoutToken?: boolean }): Transport;
}

/** As cuOpt's own client asks when it connects. */
const PROBE_ID = "__connection_probe__";
const ROUND_TRIPS = 5;
const SLOW_MS = 1000;
const CLOCK_MS = 5000;
const CERTIFICATE_DAYS = 30;
const DAY_MS = 86_400_000;

/** Ends after the first thing without which nothing else can work. */
export async function* checksOf(target: Target, signal: AbortSignal): AsyncGenerator<Check> {
  const name = await checkName(target);
  yield name;
  if (name.state === "fail") return;
  const connection = await checkConnection(target, signal);
  yield connection;
  if (connection.state === "fail") return;
  const tls = target.tls === undefined ? clearText(target) : await checkTls(target, signal);
  yield tls;
  if (tls.state === "fail") return;

  const other: Protocol = target.protocol === "grpc" ? "connect" : "grpc";
  const probe = await probeOver(target, target.protocol, signal);
  yield await checkProtocol(target, probe, signal);
  if (!probe.answered) return;
  yield otherProtocol(other, await probeOver(target, other, signal));
  yield checkServer(target, probe);
  yield await checkToken(target, probe, signal);
  if (probe.accepted) yield checkLimits(probe);
  yield await checkHealth(target, signal);
  yield checkClock(probe);
  yield await checkRoundTrip(target, signal);
}

async function checkName({ host }: Target): Promise<Check> {
  if (isIP(host) !== 0) return { name: "name", state: "ok", text: `${host} is an address` };
  try {
    const found = (await lookup(host, { all: true })).map(({ address }) => address);
    return { name: "name", state: "ok", text: `${host} is ${[...new Set(found)].join(", ")}` };
  } catch (error) {
    return {
      name: "name",
      state: "fail",
      text: `${host} is not known (${(error as NodeJS.ErrnoException).code})`,
      advice: "look for a mistake in the name; else this machine's DNS does not know it",
    };
  }
}

/** What `start` sets in motion, or undefined once the time is over. */
async function within<T>(
  { timeoutMs }: Target,
  signal: AbortSignal,
  start: (done: (value: T) => void) => { destroy(): unknown },
): Promise<T | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const { promise, resolve } = Promise.withResolvers<T | undefined>();
  const onLimit = () => resolve(undefined);
  limit.addEventListener("abort", onLimit, { once: true });
  const socket = start(resolve);
  try {
    return await promise;
  } finally {
    limit.removeEventListener("abort", onLimit);
    socket.destroy();
    signal.throwIfAborted();
  }
}

const place = ({ host, port }: Target): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

async function checkConnection(target: Target, signal: AbortSignal): Promise<Check> {
  const started = performance.now();
  const outcome = await within<"open" | NodeJS.ErrnoException>(target, signal, (done) =>
    connectTcp({ host: target.host, port: target.port })
      .once("connect", () => done("open"))
      .on("error", done),
  );
  const where = place(target);
  const fail = (text: string, advice: string): Check => ({ name: "connection", state: "fail", text, advice });
  if (outcome === "open") {
    return { name: "connection", state: "ok", text: `${where} answers in ${millis(performance.now() - started)}` };
  }
  if (outcome === undefined) {
    return fail(
      `${where} does not answer within ${target.timeoutMs / 1000} s`,
      "a firewall may drop what is sent there, or the machine is down",
    );
  }
  if (outcome.code === "ECONNREFUSED") {
    return fail(
      `nothing listens at ${where}`,
      `start the server (sortie serve --port ${target.port}), or check the port`,
    );
  }
  return fail(`${where}: ${outcome.message}`, "check the address and the network");
}

function clearText({ host }: Target): Check {
  if (host === "localhost" || host.startsWith("127.") || host === "::1") {
    return { name: "tls", state: "ok", text: "clear text, which does not leave this machine" };
  }
  return {
    name: "tls",
    state: "warn",
    text: "clear text: who is on the way can read and change everything, tokens too",
    advice: "serve TLS (sortie serve --tls …) and call with --tls or https://",
  };
}

interface Handshake {
  readonly certificate: PeerCertificate;
  readonly version: string | null;
  /** Why the certificate is not trusted; undefined if it is. */
  readonly distrust: string | undefined;
}

function handshake(target: Target, signal: AbortSignal): Promise<Handshake | Error | undefined> {
  const { host, port, tls } = target;
  return within<Handshake | Error>(target, signal, (done) => {
    const socket = connectTls({
      host,
      port,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(tls?.root === undefined ? {} : { ca: tls.root }),
      ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls?.key === undefined ? {} : { key: tls.key }),
      ALPNProtocols: ["h2", "http/1.1"],
      // Looked at here, so that more can be told than that it failed.
      rejectUnauthorized: false,
    });
    socket.on("error", done);
    socket.once("secureConnect", () => {
      done({
        certificate: socket.getPeerCertificate(),
        version: socket.getProtocol(),
        distrust: socket.authorized ? undefined : String(socket.authorizationError),
      });
    });
    return socket;
  });
}

async function checkTls(target: Target, signal: AbortSignal): Promise<Check> {
  const fail = (text: string, advice: string): Check => ({ name: "tls", state: "fail", text, advice });
  let outcome: Handshake | Error | undefined;
  try {
    outcome = await handshake(target, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    outcome = error as Error;
  }
  if (outcome === undefined) return fail("the handshake does not end", "look whether the server speaks TLS at all");
  if (outcome instanceof Error) {
    const { code } = outcome as NodeJS.ErrnoException;
    return code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" || code === "ECONNRESET"
      ? fail("the server does not speak TLS here", "call it without --tls (or by http://)")
      : fail(`the handshake fails: ${outcome.message}`, "check the certificate and key of both sides");
  }
  const { certificate, version, distrust } = outcome;
  const daysLeft = (Date.parse(certificate.valid_to) - Date.now()) / DAY_MS;
  const until = `certificate of ${certificate.subject?.CN ?? "no name"} until ${dayOf(certificate.valid_to)}`;
  const text = `${version}, ${until}`;
  if (daysLeft <= 0) return fail(`${text}: it has expired`, "renew the server's certificate");
  if (distrust !== undefined) return fail(`${text}: not trusted (${distrust})`, trustAdvice(distrust));
  return daysLeft < CERTIFICATE_DAYS
    ? { name: "tls", state: "warn", text: `${text}: ${Math.floor(daysLeft)} days left`, advice: "renew it in time" }
    : { name: "tls", state: "ok", text };
}

function trustAdvice(distrust: string): string {
  if (/ALTNAME|altname/.test(distrust)) {
    return "call the server by a name that stands in its certificate, or give it one for this name";
  }
  return "name the authority that signed it with --tls-root-cert FILE";
}

const dayOf = (date: string): string => new Date(date).toISOString().slice(0, 10);
const millis = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

interface Probe {
  readonly protocol: Protocol;
  /** Somebody who speaks the protocol answered, whatever the answer was. */
  readonly answered: boolean;
  /** The caller was let in. */
  readonly accepted: boolean;
  readonly error?: ConnectError;
  readonly headers: Headers;
  readonly maxMessageBytes: number;
  /** When it was asked and answered, by this machine's clock. */
  readonly asked: number;
  readonly came: number;
}

async function probeOver(
  target: Target,
  protocol: Protocol,
  signal: AbortSignal,
  options: { readonly withoutToken?: boolean } = {},
): Promise<Probe> {
  let headers = new Headers();
  const asked = Date.now();
  const found = { protocol, asked, maxMessageBytes: 0 };
  try {
    const client = createClient(CuOptRemoteService, target.transport(protocol, options));
    const { maxMessageBytes } = await client.checkStatus(
      { jobId: PROBE_ID },
      {
        signal,
        timeoutMs: target.timeoutMs,
        onHeader: (given) => {
          headers = given;
        },
      },
    );
    const told = { ...found, came: Date.now(), maxMessageBytes: Number(maxMessageBytes) };
    return { ...told, headers, answered: true, accepted: true };
  } catch (cause) {
    signal.throwIfAborted();
    const error = ConnectError.from(cause);
    if (headers.keys().next().done) headers = error.metadata;
    // Only what speaks the protocol says one of these.
    const answered = [Code.Unauthenticated, Code.PermissionDenied, Code.NotFound, Code.ResourceExhausted].includes(
      error.code,
    );
    const accepted = error.code === Code.NotFound;
    return { ...found, came: Date.now(), headers, answered, accepted, error };
  }
}

const PROTOCOL_NAMES: Readonly<Record<Protocol, string>> = { grpc: "gRPC", connect: "Connect over HTTP/1.1" };

async function checkProtocol(target: Target, probe: Probe, signal: AbortSignal): Promise<Check> {
  const { protocol, answered, error } = probe;
  const name = PROTOCOL_NAMES[protocol];
  if (answered) return { name: protocol, state: "ok", text: `${name} is spoken` };
  const text = `${name}: ${error?.rawMessage ?? "no answer"}`;
  const shaken = target.tls === undefined ? await handshake(target, signal) : undefined;
  if (shaken !== undefined && !(shaken instanceof Error)) {
    return { name: protocol, state: "fail", text, advice: "the server speaks TLS: call it with --tls, or by https://" };
  }
  if (target.tls !== undefined && /alert|certificate required|ECONNRESET|closed/i.test(text)) {
    const advice = "the server may want a client certificate: --tls-client-cert and --tls-client-key";
    return { name: protocol, state: "fail", text, advice };
  }
  const advice =
    protocol === "grpc"
      ? "if a proxy or a function answers here, call it by its URL (https://…)"
      : "check the path of the URL; a server that speaks gRPC only is called as HOST:PORT";
  return { name: protocol, state: "fail", text, advice };
}

function otherProtocol(protocol: Protocol, { answered }: Probe): Check {
  const name = PROTOCOL_NAMES[protocol];
  return { name: protocol, state: "ok", text: answered ? `${name} is spoken as well` : `${name} is not spoken here` };
}

function checkServer({ version }: Target, { headers }: Probe): Check {
  const theirs = headers.get("sortie-version");
  if (theirs === null) {
    return {
      name: "server",
      state: "ok",
      text: "cuOpt, or one that says nothing of itself: no list of jobs, no resumed uploads, no repeats of calls",
    };
  }
  const release = (text: string) => text.split(".").slice(0, 2).join(".");
  return release(theirs) === release(version)
    ? { name: "server", state: "ok", text: `Sortie ${theirs}` }
    : {
        name: "server",
        state: "warn",
        text: `Sortie ${theirs}, and this program is ${version}`,
        advice: "use the same release on both sides where something does not work",
      };
}

async function checkToken(target: Target, probe: Probe, signal: AbortSignal): Promise<Check> {
  const { accepted, error } = probe;
  if (!accepted) {
    const advice = target.hasToken
      ? "look whether it was revoked or has expired (sortie token list, on the server's machine)"
      : "have one made (sortie token create, on the server's machine) and set SORTIE_TOKEN";
    return { name: "token", state: "fail", text: error?.rawMessage ?? "refused", advice };
  }
  if (!target.hasToken) return { name: "token", state: "ok", text: "none is needed" };
  const without = await probeOver(target, probe.protocol, signal, { withoutToken: true });
  return without.accepted
    ? { name: "token", state: "ok", text: "accepted, though the server lets in calls without one" }
    : { name: "token", state: "ok", text: "accepted" };
}

function checkLimits({ maxMessageBytes }: Probe): Check {
  return maxMessageBytes > 0
    ? {
        name: "limits",
        state: "ok",
        text: `messages up to ${bytesText(maxMessageBytes)}; what is larger goes in chunks`,
      }
    : {
        name: "limits",
        state: "warn",
        text: "the server does not tell its largest message",
        advice: "if large models are refused, make the chunks smaller (SORTIE_CHUNK_BYTES)",
      };
}

async function checkHealth(target: Target, signal: AbortSignal): Promise<Check> {
  try {
    const { status } = await createClient(Health, target.transport(target.protocol)).check(
      {},
      { signal, timeoutMs: target.timeoutMs },
    );
    if (status === HealthCheckResponse_ServingStatus.SERVING) return { name: "health", state: "ok", text: "serving" };
    return {
      name: "health",
      state: "fail",
      text: `the server says that it is ${HealthCheckResponse_ServingStatus[status]?.toLowerCase().replaceAll("_", " ")}`,
      advice: "it is starting or stopping; look into its log",
    };
  } catch (error) {
    signal.throwIfAborted();
    const { code, rawMessage } = ConnectError.from(error);
    if (code === Code.Unimplemented) return { name: "health", state: "ok", text: "the server has no health service" };
    return { name: "health", state: "fail", text: rawMessage, advice: "look into the server's log" };
  }
}

function checkClock({ headers, asked, came }: Probe): Check {
  const told = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(told)) return { name: "clock", state: "ok", text: "the server does not tell its time" };
  // The header is cut to whole seconds.
  const ahead = told + 500 - (asked + came) / 2;
  const uncertain = 500 + (came - asked) / 2;
  if (Math.abs(ahead) <= Math.max(CLOCK_MS, uncertain)) {
    return {
      name: "clock",
      state: "ok",
      text: `differs by less than ${durationText((Math.abs(ahead) + uncertain) / 1000)}`,
    };
  }
  return {
    name: "clock",
    state: "warn",
    text: `the server's clock is ${durationText(Math.abs(ahead) / 1000)} ${ahead > 0 ? "ahead of" : "behind"} this one`,
    advice: "set both by NTP: signed links and tokens that expire are judged by the clock",
  };
}

async function checkRoundTrip(target: Target, signal: AbortSignal): Promise<Check> {
  const client = createClient(CuOptRemoteService, target.transport(target.protocol));
  const times: number[] = [];
  // The first one opens the connection and is not counted.
  for (let i = 0; i <= ROUND_TRIPS; i++) {
    const started = performance.now();
    await client.checkStatus({ jobId: PROBE_ID }, { signal, timeoutMs: target.timeoutMs }).catch(() => undefined);
    signal.throwIfAborted();
    if (i > 0) times.push(performance.now() - started);
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(ROUND_TRIPS / 2)] ?? Number.NaN;
  const text = `${millis(median)} for a small call (median of ${ROUND_TRIPS})`;
  return median < SLOW_MS
    ? { name: "round trip", state: "ok", text }
    : { name: "round trip", state: "warn", text, advice: "use a server that is nearer, or see what delays the way" };
}
