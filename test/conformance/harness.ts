// Starts real servers for the scenarios, connects clients to them, and runs every scenario over every transport of the host.
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { afterAll, describe, it, onTestFinished } from "vitest";
import { EmbeddedServer } from "./embedded-server.ts";
import { HOSTS, type HostChoice, type HostName, reasonAgainst, type TransportChoice } from "./hosts.ts";
import { LambdaServer } from "./lambda-server.ts";
import { SCENARIOS } from "./scenarios.ts";
import type { Server } from "./server.ts";
import { Session } from "./session.ts";

export { spawnSortie } from "./embedded-server.ts";
export type { Server } from "./server.ts";
export { until } from "./until.ts";

declare module "vitest" {
  interface TaskMeta {
    /** Number of the scenario that a test proves, and where. */
    scenario?: string;
    host?: string;
    /** Absent: no transport is involved. */
    transport?: string;
  }
}

const newServer: Readonly<Record<HostName, (flags: readonly string[]) => Server>> = {
  embedded: (flags) => new EmbeddedServer(flags),
  Lambda: (flags) => new LambdaServer(flags),
};

/** A server that the tests of one file share, on each host; it starts when the first of them asks for it. */
export interface SharedServer {
  get(host: HostName): Promise<Server>;
}

export function sharedServer(...flags: string[]): SharedServer {
  const servers = new Map<HostName, Server>();
  const started = new Map<HostName, Promise<Server>>();
  afterAll(async () => {
    for (const server of servers.values()) await server.dispose();
  });
  return {
    get(host) {
      const server = servers.get(host) ?? newServer[host](flags);
      servers.set(host, server);
      const ready = started.get(host) ?? server.start();
      started.set(host, ready);
      return ready;
    },
  };
}

export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface ConnectOptions {
  readonly tls?: TlsFiles | undefined;
  /** Connect over HTTP/2 instead of HTTP/1.1. */
  readonly http2?: boolean | undefined;
  /** Connect with JSON instead of binary messages. */
  readonly json?: boolean | undefined;
}

/** What a scenario is given. Everything that it opens is closed after it. */
export interface Trial {
  readonly host: HostChoice;
  readonly transport: TransportChoice;
  /** The shared server on the host of this trial. */
  running(server: SharedServer): Promise<Server>;
  /** A client on the server; its jobs are deleted after the scenario. */
  connect(server: SharedServer | Server, options?: ConnectOptions): Promise<Session>;
  /** A server of this scenario alone. */
  startServer(...flags: string[]): Promise<Server>;
}

/** A client on a server; the caller closes it. */
export function openSession(server: Server, { protocol }: TransportChoice, options: ConnectOptions): Session {
  const common = {
    baseUrl: server.url(options.tls ? "https" : "http"),
    nodeOptions: { ...options.tls },
    useBinaryFormat: !options.json,
    interceptors: [...server.interceptors],
  };
  if (protocol === "grpc-web") {
    return new Session(createGrpcWebTransport({ ...common, httpVersion: "1.1" }), () => undefined);
  }
  // A function URL speaks HTTP/2 over TLS only, which is AWS's.
  if (protocol === "connect" && (!options.http2 || server.host === "Lambda")) {
    return new Session(createConnectTransport({ ...common, httpVersion: "1.1" }), () => undefined);
  }
  const sessionManager = new Http2SessionManager(common.baseUrl, {}, common.nodeOptions);
  const transport =
    protocol === "grpc"
      ? createGrpcTransport({ ...common, useBinaryFormat: true, sessionManager })
      : createConnectTransport({ ...common, httpVersion: "2", sessionManager });
  return new Session(transport, () => sessionManager.abort());
}

function trialOver(host: HostChoice, transport: TransportChoice): Trial {
  const running: Trial["running"] = (server) => server.get(host.name);
  return {
    host,
    transport,
    running,
    async connect(server, options = {}) {
      const session = openSession("get" in server ? await running(server) : server, transport, options);
      onTestFinished(() => session.close());
      return session;
    },
    async startServer(...flags) {
      const server = newServer[host.name](flags);
      onTestFinished(() => server.dispose());
      return server.start();
    },
  };
}

/** Declares the test of a scenario; its name comes from the list. */
export type DeclareScenario = (number: string, run: (trial: Trial) => Promise<void>) => void;

/** Declares scenarios once for each transport of each host that can prove them. */
export function overEveryTransport(declare: (scenario: DeclareScenario) => void): void {
  const scenarios = new Map<string, (trial: Trial) => Promise<void>>();
  declare((number, run) => {
    const { notApplicable, codec } = known(number);
    if (notApplicable !== undefined || codec) throw new Error(`scenario ${number} is not listed as one for a server`);
    scenarios.set(number, run);
  });
  for (const host of HOSTS) {
    for (const transport of host.transports) {
      const proved = [...scenarios].filter(([number]) => reasonAgainst(number, host, transport) === undefined);
      if (proved.length === 0) continue;
      describe(`${host.name}, ${transport.name}`, () => {
        for (const [number, run] of proved) {
          it(`${number} ${known(number).title}`, async ({ task }) => {
            Object.assign(task.meta, { scenario: number, host: host.name, transport: transport.name });
            await run(trialOver(host, transport));
          });
        }
      });
    }
  }
}

/** Declares a scenario that is about messages alone. */
export function codecScenario(number: string, run: () => void | Promise<void>): void {
  const { title, codec } = known(number);
  if (!codec) throw new Error(`scenario ${number} is not listed as one without a server`);
  it(`${number} ${title}`, async ({ task }) => {
    task.meta.scenario = number;
    await run();
  });
}

function known(number: string) {
  const scenario = SCENARIOS.get(number);
  if (!scenario) throw new Error(`there is no scenario ${number}`);
  return scenario;
}
