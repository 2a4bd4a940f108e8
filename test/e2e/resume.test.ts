// An upload goes on where it was, whoever was killed: the client, the server, or only the connection. A proxy between the two
// counts the array data that is sent.
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { connect, type SortieClient } from "@sortie/client/node";
import { type ArrayChunk, SendArrayChunkRequestSchema } from "@sortie/wire";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadModel, problemMessage } from "../../packages/cli/src/model-file.ts";
import { EmbeddedServer, spawnSortie } from "../conformance/embedded-server.ts";
import { until } from "../conformance/until.ts";

const MODEL = fileURLToPath(new URL("../data/lp/e226.mps.gz", import.meta.url));
const OBJECTIVE: number = JSON.parse(
  readFileSync(fileURLToPath(new URL("../data/lp/index.json", import.meta.url)), "utf8"),
).instances.find((instance: { name: string }) => instance.name === "e226").objective;
const CHUNK_BYTES = 1024;
/** Chunks that a client has in flight. */
const IN_FLIGHT = 4;

interface SeenChunk {
  readonly chunk: ArrayChunk;
  readonly bytes: number;
  /** Whether the server was given it. */
  passedOn: boolean;
}

/** Passes calls on to a server, in Connect over HTTP/1.1. From some chunk on it can hold chunks, as a broken way would. */
class CountingProxy {
  readonly seen: SeenChunk[] = [];
  /** Number of the chunk, from 0, that comes to the server with one bit turned over. */
  alters = -1;
  /** The server finishes the upload, and nobody hears of it. */
  losesFinish = false;
  readonly #held: ServerResponse[] = [];
  #heldFrom = Number.POSITIVE_INFINITY;
  readonly #server: Server;
  readonly #target: () => string;

  private constructor(target: () => string) {
    this.#target = target;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(target: () => string): Promise<CountingProxy> {
    const proxy = new CountingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next so many chunks are answered; the one after them reaches the server and its answer is lost; later ones are lost. */
  holdAfter(chunks: number): void {
    this.#heldFrom = this.seen.length + chunks;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Cuts the connections of what is held, and holds no more. */
  release(): void {
    this.#heldFrom = Number.POSITIVE_INFINITY;
    this.losesFinish = false;
    for (const response of this.#held.splice(0)) response.destroy();
  }

  /** Bytes of array data that clients have sent. */
  bytesOf(chunks: readonly SeenChunk[]): number {
    return chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes that the problem's arrays have, by what the chunks say of them. */
  get arrayBytes(): number {
    const sizes = new Map(
      this.seen.map(({ chunk: { fieldId, totalElements } }) => [
        fieldId,
        Number(totalElements) * elementBytesOf(fieldId),
      ]),
    );
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    if (this.losesFinish && request.url?.endsWith("/FinishChunkedUpload")) {
      await this.#ask(request, body);
      this.#held.push(response);
      return;
    }
    if (!request.url?.endsWith("/SendArrayChunk")) return this.#passOn(request, body, response);
    const { chunk } = fromBinary(SendArrayChunkRequestSchema, body);
    const place = this.seen.length;
    const seen = { chunk: chunk!, bytes: chunk!.data.byteLength, passedOn: place <= this.#heldFrom };
    this.seen.push(seen);
    // The last byte of the message is the last of the data.
    if (place === this.alters) body[body.byteLength - 1]! ^= 1;
    if (place < this.#heldFrom) return this.#passOn(request, body, response);
    if (seen.passedOn) await this.#ask(request, body);
    this.#held.push(response);
  }

  #ask(request: IncomingMessage, body: Uint8Array): Promise<Response> {
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers)) {
      if (!["host", "connection", "content-length", "transfer-encoding"].includes(name))
        headers.set(name, String(value));
    }
    return fetch(`${this.#target()}${request.url}`, {
      method: String(request.method),
      headers,
      body: new Uint8Array(body),
    });
  }

  async #passOn(request: IncomingMessage, body: Uint8Array, response: ServerResponse): Promise<void> {
    const answer = await this.#ask(request, body);
    for (const [name, value] of answer.headers) {
      if (!["connection", "content-length", "content-encoding", "transfer-encoding"].includes(name)) {
        response.setHeader(name, value);
      }
    }
    response.writeHead(answer.status).end(await answer.bytes());
  }

  async close(): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Doubles, but for names, row types and int32. */
const elementBytesOf = (fieldId: number): number =>
  [0, 1, 11].includes(fieldId) ? 1 : [3, 4, 12, 16, 17].includes(fieldId) ? 4 : 8;

let folder: string;
let server: EmbeddedServer;
let proxy: CountingProxy;
beforeAll(async () => {
  server = await new EmbeddedServer(["--workers", "1"]).start();
});
afterAll(() => server?.dispose());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sortie-resume-"));
  proxy = await CountingProxy.start(() => server.url());
});
afterEach(async () => {
  await proxy.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

function run(args: readonly string[]): Run {
  const child = spawnSortie(args, { env: { XDG_STATE_HOME: folder } });
  let [out, err] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    err += text;
  });
  return { child, ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err }))) };
}

const submit = (...args: string[]): Run =>
  run(["submit", MODEL, "--server", proxy.url, "--chunk-bytes", String(CHUNK_BYTES), ...args]);

/** The files about unfinished uploads. */
const notes = (): string[] => {
  try {
    return readdirSync(join(folder, "sortie", "uploads"));
  } catch {
    return [];
  }
};

async function withClient<T>(use: (client: SortieClient) => Promise<T>): Promise<T> {
  await using client = await connect(server.url());
  return await use(client);
}

async function objectiveOf(jobId: string): Promise<number> {
  return withClient(async (client) => {
    await client.wait(jobId);
    const { scalars } = await client.result(jobId, { kind: "lp" });
    return "primalObjective" in scalars ? scalars.primalObjective : Number.NaN;
  });
}

const jobIds = (): Promise<string[]> =>
  withClient(async (client) => {
    const ids: string[] = [];
    for await (const { id } of client.jobs()) ids.push(id);
    return ids;
  });

/** Starts an upload and kills it with some chunks answered and as many in flight as there can be. */
async function killedInTheMiddle(answered: number): Promise<readonly SeenChunk[]> {
  proxy.holdAfter(answered);
  const { child, ended } = submit();
  await until(() => proxy.held === IN_FLIGHT, "chunks in flight that nobody answers");
  child.kill("SIGKILL");
  expect((await ended).code).toBeNull();
  proxy.release();
  return [...proxy.seen];
}

describe("sortie submit", () => {
  it("goes on, after kill -9 in the middle of an upload, with what the server does not have", async () => {
    const first = await killedInTheMiddle(12);
    expect(first).toHaveLength(12 + IN_FLIGHT);
    expect(notes()).toHaveLength(1);
    const arrived = first.filter(({ passedOn }) => passedOn);
    expect(arrived).toHaveLength(13);

    const { code, out, err } = await submit("--resume", "--json").ended;
    expect({ code, err }).toMatchObject({
      code: 0,
      err: expect.stringMatching(/uploaded .*; .* were there before\n$/),
    });
    const second = proxy.seen.slice(first.length);
    const { arrayBytes } = proxy;
    const inFlight = proxy.bytesOf(first.slice(-IN_FLIGHT));
    expect(arrayBytes).toBeGreaterThan(30 * CHUNK_BYTES);
    // Nothing that arrived is sent again, although the last answer was lost.
    expect(proxy.bytesOf(second)).toBe(arrayBytes - proxy.bytesOf(arrived));
    expect(proxy.bytesOf(first) + proxy.bytesOf(second)).toBeLessThanOrEqual(arrayBytes + inFlight);

    const told = JSON.parse(out);
    expect(told).toMatchObject({ resumed: true, totalBytes: arrayBytes, sentBytes: proxy.bytesOf(second) });
    expect(notes()).toEqual([]);
    expect(await objectiveOf(told.jobId)).toBeCloseTo(OBJECTIVE, 5);
  });

  it("finds its job when it was killed after the upload had become one", async () => {
    const before = await jobIds();
    proxy.losesFinish = true;
    const { child, ended } = submit();
    await until(() => proxy.held === 1, "a finish that nobody answers");
    child.kill("SIGKILL");
    await ended;
    proxy.release();
    const sent = proxy.seen.length;
    const { code, out } = await submit("--resume").ended;
    expect(code).toBe(0);
    expect(proxy.seen).toHaveLength(sent);
    // No second job came of it.
    const after = await jobIds();
    expect(after.filter((id) => !before.includes(id))).toEqual([out.trim()]);
  });

  it("begins anew without --resume, and says what there was to go on with", async () => {
    const first = await killedInTheMiddle(5);
    const { code, out, err } = await submit().ended;
    expect(err).toMatch(
      /an upload of this model, begun .* ago, is unfinished; this is a new one \(--resume goes on with it\)/,
    );
    expect(code).toBe(0);
    expect(proxy.bytesOf(proxy.seen.slice(first.length))).toBe(proxy.arrayBytes);
    expect(out.trim()).toMatch(/^[0-9a-f-]{36}$/);
    expect(notes()).toEqual([]);
  });

  it("begins anew with --resume where there is nothing to go on with, or the server has forgotten it", async () => {
    const none = await submit("--resume").ended;
    expect(none.err).toContain("no upload of this model is unfinished; this is a new one");
    await killedInTheMiddle(3);
    const [note] = notes();
    const file = join(folder, "sortie", "uploads", String(note));
    const unknown = { ...JSON.parse(readFileSync(file, "utf8")), uploadId: "00000000-0000-4000-8000-000000000000" };
    writeFileSync(file, JSON.stringify(unknown));
    const forgotten = await submit("--resume").ended;
    expect(forgotten.err).toContain("the server does not know the unfinished upload any more; this is a new one");
    expect(forgotten.code).toBe(0);
    expect(notes()).toEqual([]);
  });

  it("goes on by itself when the server is killed in the middle and comes back", async () => {
    proxy.holdAfter(8);
    const { ended } = submit("--json");
    await until(() => proxy.held === IN_FLIGHT, "chunks in flight that nobody answers");
    const first = [...proxy.seen];
    await server.kill();
    await server.start();
    proxy.release();
    const { code, out } = await ended;
    expect(code).toBe(0);
    const lost = first.filter(({ passedOn }) => !passedOn);
    expect(proxy.bytesOf(proxy.seen)).toBe(proxy.arrayBytes + proxy.bytesOf(lost));
    expect(await objectiveOf(JSON.parse(out).jobId)).toBeCloseTo(OBJECTIVE, 5);
  });

  it("tells a mistake in its arguments in one line", async () => {
    const mistakes: [string[], RegExp][] = [
      [[], /submit takes one file; found none/],
      [["a.mps", "b.mps"], /submit takes one file; found a\.mps, b\.mps/],
      [["gone.mps", "--server", "127.0.0.1:1"], /gone\.mps: there is no such file/],
      [[MODEL], /submit needs a server/],
      [[MODEL, "--resmue"], /--resmue is not an option; did you mean --resume\?/],
      [[MODEL, "--set", "tme_limit=3"], /setting tme_limit is unknown; did you mean time_limit\?/],
    ];
    const runs = await Promise.all(mistakes.map(([args]) => run(["submit", ...args]).ended));
    for (const [index, { code, out, err }] of runs.entries()) {
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toMatch(mistakes[index]?.[1] as RegExp);
      expect(err.trimEnd().split("\n")).toHaveLength(1);
    }
  });
});

describe("the transfer hash", () => {
  it("finds a chunk that came altered, which is sent again; without it nobody notices", async () => {
    const { problem } = await loadModel(MODEL, new AbortController().signal);
    const message = problemMessage(problem, "lp", {});
    for (const transferHash of [true, false]) {
      await using client = await connect({
        address: proxy.url,
        chunkBytes: CHUNK_BYTES,
        unaryUpToBytes: 0,
        transferHash,
      });
      const before = proxy.seen.length;
      // In the values of the matrix.
      proxy.alters = before + 3;
      const jobId = await client.submit(message, { repeat: true });
      const sent = proxy.seen.slice(before);
      const resent = proxy.bytesOf(sent) - proxy.arrayBytes;
      if (transferHash) expect(resent).toBeGreaterThan(0);
      else expect(resent).toBe(0);
      if (!transferHash) continue;
      await client.wait(jobId);
      const { scalars } = await client.result(jobId);
      expect("primalObjective" in scalars && scalars.primalObjective).toBeCloseTo(OBJECTIVE, 5);
    }
  });
});
