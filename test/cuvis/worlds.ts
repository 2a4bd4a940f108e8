// Worlds of scenarios: a server, and files that its clients may name: `configs`, `data`, `outputs` and what a test puts there.
// On the embedded server they are a folder; in a cloud they are those of a tenant that nobody else has.
import { globSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { createToken, systemClock } from "@sortie/core";
import { type Files, LocalFiles } from "@sortie/pipeline";
import { openAwsWorker, readAwsSettings } from "@sortie/platform-aws";
import { blobFiles } from "@sortie/sessions";
import { Cloud } from "../aws/cloud.ts";
import { identity } from "../aws/environment.ts";
import { EmbeddedServer, type SpawnPlace } from "../conformance/embedded-server.ts";
import { Cuvis } from "./client.ts";
import { askCloud, CLOUD_OPTIONS, type CloudFacts } from "./cloud-control.ts";
import type { HostName, TransportChoice } from "./hosts.ts";

const CONFIGS = fileURLToPath(new URL("configs", import.meta.url));
/** More than the largest message of any scenario. */
const CLIENT_BYTES = 600 * 1024 * 1024;

/** What tests do with a server beside calling it. */
export interface Running {
  url(): string;
  start(): Promise<unknown>;
  /** Ends it without a word. */
  kill(): Promise<void>;
}

export abstract class World {
  abstract readonly host: HostName;
  abstract readonly server: Running;
  abstract readonly files: Files;

  /** An absolute path among the files. */
  abstract path(...parts: string[]): string;
  abstract remove(path: string): Promise<void>;
  /** Another world on the same host, of one test alone. */
  abstract another(...flags: string[]): Promise<World>;
  abstract dispose(): Promise<void>;
  protected readonly headers: Readonly<Record<string, string>> = {};

  /** Writes a file. @returns its absolute path */
  async write(path: string, content: string | Uint8Array): Promise<string> {
    const at = this.path(path);
    await this.files.write(at, typeof content === "string" ? new TextEncoder().encode(content) : content);
    return at;
  }

  async read(path: string): Promise<Uint8Array> {
    return this.files.read(path.startsWith("/") ? path : this.path(path));
  }

  async text(path: string): Promise<string> {
    return new TextDecoder().decode(await this.read(path));
  }

  async exists(path: string): Promise<boolean> {
    return (await this.files.stat(path.startsWith("/") ? path : this.path(path))) !== undefined;
  }

  /** The files below a folder. */
  async names(folder: string): Promise<readonly string[]> {
    return (await this.files.list(this.path(folder))) ?? [];
  }

  /** A folder with a file in it. @returns its absolute path */
  async folder(path: string): Promise<string> {
    await this.write(`${path}/a-file`, "");
    return this.path(path);
  }

  connect(protocol: TransportChoice["protocol"] = "grpc", headers: Readonly<Record<string, string>> = {}): Cuvis {
    const all = { ...this.headers, ...headers };
    const setHeaders: Interceptor = (next) => (request) => {
      for (const [name, value] of Object.entries(all)) request.header.set(name, value);
      return next(request);
    };
    const baseUrl = this.server.url();
    const common = { baseUrl, readMaxBytes: CLIENT_BYTES, writeMaxBytes: CLIENT_BYTES, interceptors: [setHeaders] };
    const client = (transport: Transport, close = () => {}) => new Cuvis(this, transport, close);
    if (protocol === "connect") return client(createConnectTransport({ ...common, httpVersion: "1.1" }));
    if (protocol === "grpc-web") return client(createGrpcWebTransport({ ...common, httpVersion: "1.1" }));
    // Node's client refuses headers while more than its own bound of bytes waits to be sent.
    const sessionManager = new Http2SessionManager(baseUrl, {}, { maxSessionMemory: 1024 });
    return client(createGrpcTransport({ ...common, sessionManager }), () => sessionManager.abort());
  }

  protected async copyConfigs(): Promise<void> {
    for (const name of globSync("**/*.yaml", { cwd: CONFIGS })) {
      await this.write(`configs/${name}`, readFileSync(join(CONFIGS, name)));
    }
  }
}

export class EmbeddedWorld extends World {
  readonly host = "embedded";
  readonly folderPath: string;
  readonly server: EmbeddedServer;
  readonly files: LocalFiles;

  constructor(flags: readonly string[], place: SpawnPlace = {}) {
    super();
    this.folderPath = realpathSync(mkdtempSync(join(tmpdir(), "sortie-cuvis-")));
    for (const name of ["data", "outputs"]) mkdirSync(join(this.folderPath, name));
    this.files = new LocalFiles({ roots: [this.folderPath] });
    const roots = ["--pipeline-roots", this.folderPath];
    this.server = new EmbeddedServer([...roots, ...flags], { cwd: this.folderPath, ...place });
  }

  async start(): Promise<this> {
    await this.copyConfigs();
    await this.server.start();
    return this;
  }

  path(...parts: string[]): string {
    return join(this.folderPath, ...parts);
  }

  async remove(path: string): Promise<void> {
    rmSync(this.path(path), { recursive: true });
  }

  another(...flags: string[]): Promise<EmbeddedWorld> {
    return new EmbeddedWorld(flags).start();
  }

  async dispose(): Promise<void> {
    await this.server.dispose();
    rmSync(this.folderPath, { recursive: true, force: true });
  }
}

/** Flags of `sortie serve`, and the settings of a deployment that say the same. */
const SETTINGS: Readonly<Record<string, string>> = { "--strict-plugins": "SORTIE_STRICT_PLUGINS" };

/** A tenant in a cloud: that of the run, or one of its own. */
export class CloudWorld extends World {
  readonly host: "Lambda" | "Fargate";
  readonly server: Running;
  readonly files: Files;
  protected override readonly headers: Readonly<Record<string, string>>;
  readonly #control: string;
  readonly #tenant: string;
  readonly #platform: ReturnType<typeof openAwsWorker>;
  readonly #own: Cloud | undefined;

  private constructor(
    host: CloudWorld["host"],
    control: string,
    url: string,
    own: Cloud | undefined,
    tenant: { readonly name: string; readonly token: string; readonly platform: ReturnType<typeof openAwsWorker> },
  ) {
    super();
    this.host = host;
    this.#control = control;
    this.#own = own;
    this.#platform = tenant.platform;
    this.#tenant = tenant.name;
    this.files = blobFiles(tenant.platform.blobs, { tenant: tenant.name });
    this.headers = { authorization: `Bearer ${tenant.token}` };
    this.server = {
      url: () => url,
      start: () => askCloud(control, "/up"),
      kill: () => askCloud(control, "/down"),
    };
  }

  /** @param control the control port of the run's cloud */
  static async open(host: CloudWorld["host"], control: string, flags: readonly string[] = []): Promise<CloudWorld> {
    const settings = { ...CLOUD_OPTIONS.settings, ...Object.fromEntries(flags.map((flag) => [settingOf(flag), "1"])) };
    const own = flags.length > 0 ? await Cloud.open({ ...CLOUD_OPTIONS, settings }) : undefined;
    const facts = own
      ? { endpoint: own.endpoint, settings: own.settings, url: `http://127.0.0.1:${own.url.port}` }
      : await askCloud<CloudFacts>(control, "/cloud");
    const url = host === "Lambda" ? facts.url : (await askCloud<{ readonly url: string }>(control, "/host")).url;
    const platform = openAwsWorker(readAwsSettings(facts.settings), { ...identity, endpoint: facts.endpoint });
    const name = `tenant-${crypto.randomUUID()}`;
    const { token } = await createToken({ table: platform.table, clock: systemClock }, { tenant: name });
    const world = new CloudWorld(host, control, url, own, { name, token, platform });
    await world.copyConfigs();
    return world;
  }

  path(...parts: string[]): string {
    return `/${parts.join("/")}`;
  }

  async remove(path: string): Promise<void> {
    await this.#platform.blobs.deletePrefix(`files/${this.#tenant}/${path}/`);
  }

  another(...flags: string[]): Promise<CloudWorld> {
    return CloudWorld.open(this.host, this.#control, flags);
  }

  async dispose(): Promise<void> {
    await this.#platform[Symbol.asyncDispose]();
    await this.#own?.[Symbol.asyncDispose]();
  }
}

function settingOf(flag: string): string {
  const name = SETTINGS[flag];
  if (name === undefined) throw new Error(`a deployment has nothing like ${flag}`);
  return name;
}
