// Starts a real server in a working folder of its own, connects clients to it, and declares scenarios by their numbers.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterAll, it, onTestFinished, type TestContext } from "vitest";
import { EmbeddedServer, type SpawnPlace } from "../conformance/embedded-server.ts";
import { Cuvis } from "./client.ts";
import { isTested, SCENARIOS } from "./scenarios.ts";

declare module "vitest" {
  interface TaskMeta {
    scenario?: string;
    transport?: string;
  }
}

export type Protocol = "gRPC" | "Connect";

const CONFIGS = fileURLToPath(new URL("configs", import.meta.url));
/** More than the largest message of any scenario. */
const CLIENT_BYTES = 600 * 1024 * 1024;

/** Published data for tests: scenes and the weights that ship with pipelines. Undefined where there are none. */
const SHARED_DATA: string | undefined = [
  process.env["SORTIE_TEST_DATA"],
  fileURLToPath(new URL("../../../shared/data", import.meta.url)),
].find((folder) => folder !== undefined && existsSync(join(folder, "weights", "channel_selector.pt")));

/** The folder of published data; a test without it is reported as one that did not run. */
export function sharedData({ skip }: TestContext): string {
  if (SHARED_DATA === undefined) return skip("SORTIE_TEST_DATA leads to no data");
  return SHARED_DATA;
}

/** A server, and the folder that it works in: `configs`, `data`, `outputs` and whatever a test puts there. */
export class World {
  readonly folder: string;
  readonly server: EmbeddedServer;

  constructor(flags: readonly string[] = [], place: SpawnPlace = {}) {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), "sortie-cuvis-")));
    cpSync(CONFIGS, join(this.folder, "configs"), { recursive: true });
    for (const name of ["data", "outputs"]) mkdirSync(join(this.folder, name));
    const roots = ["--pipeline-roots", this.folder];
    this.server = new EmbeddedServer([...roots, ...flags], { cwd: this.folder, ...place });
  }

  /** An absolute path in the server's working folder. */
  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Writes a file below the working folder. @returns its absolute path */
  write(path: string, content: string | Uint8Array): string {
    const at = this.path(path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
    return at;
  }

  text(path: string): string {
    return readFileSync(path.startsWith("/") ? path : this.path(path), "utf8");
  }

  connect(protocol: Protocol = "gRPC", headers: Readonly<Record<string, string>> = {}): Cuvis {
    const baseUrl = this.server.url();
    const limits = { readMaxBytes: CLIENT_BYTES, writeMaxBytes: CLIENT_BYTES };
    const common = {
      baseUrl,
      ...limits,
      interceptors: [
        (next: (request: never) => Promise<never>) => (request: { header: Headers }) => {
          for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
          return next(request as never);
        },
      ] as never,
    };
    if (protocol === "Connect") {
      return new Cuvis(this, createConnectTransport({ ...common, httpVersion: "1.1" }), () => undefined);
    }
    // Node's client refuses headers while more than its own bound of bytes waits to be sent.
    const sessionManager = new Http2SessionManager(baseUrl, {}, { maxSessionMemory: 1024 });
    return new Cuvis(this, createGrpcTransport({ ...common, sessionManager }), () => sessionManager.abort());
  }

  async dispose(): Promise<void> {
    await this.server.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A server that the tests of one file share; it starts when the first of them asks for it. */
export interface SharedWorld {
  get(): Promise<World>;
}

export function sharedWorld(...flags: string[]): SharedWorld {
  let world: World | undefined;
  let started: Promise<World> | undefined;
  const start = async () => {
    world = new World(flags);
    await world.server.start();
    return world;
  };
  // Also what did not start has left a folder.
  afterAll(() => world?.dispose());
  return {
    get() {
      started ??= start();
      return started;
    },
  };
}

/** A server of one test alone. */
export async function ownWorld(flags: readonly string[] = [], place: SpawnPlace = {}): Promise<World> {
  const world = new World(flags, place);
  onTestFinished(() => world.dispose());
  await world.server.start();
  return world;
}

/** Declares the tests of scenarios against a shared server, over each transport that the list says. */
export function scenarios(shared: SharedWorld) {
  return (number: number, run: (client: Cuvis, world: World, test: TestContext) => Promise<void>) => {
    const scenario = SCENARIOS.get(number);
    if (!scenario || !isTested(scenario)) throw new Error(`scenario ${number} is not listed as one with a test`);
    for (const protocol of scenario.connectToo ? (["gRPC", "Connect"] as const) : (["gRPC"] as const)) {
      it(`${number} ${scenario.title} (${protocol})`, async (test) => {
        Object.assign(test.task.meta, { scenario: String(number), transport: protocol });
        const world = await shared.get();
        const client = world.connect(protocol);
        onTestFinished(() => client.disconnect());
        await run(client, world, test);
      });
    }
  };
}
