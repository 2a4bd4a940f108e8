// What the functions' bundles hold, and that they run.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bundle, bundleFunctions, functionNames } from "../scripts/bundle-functions.ts";

const folder = mkdtempSync(join(tmpdir(), "sortie-bundle-"));
let bundles: ReadonlyMap<string, Bundle>;

beforeAll(async () => {
  const built = await bundleFunctions(folder, { minify: false });
  bundles = new Map(built.map((bundle) => [bundle.name, bundle]));
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ENGINE = /node_modules\/highs\/|solve\/src\/engines\/|onnxruntime/;
const engineFiles = (name: string) => (bundles.get(name)?.inputs ?? []).filter((file) => ENGINE.test(file));

describe("the bundle of each function", () => {
  it("is there", () => {
    expect([...bundles.keys()]).toEqual(functionNames());
    expect(functionNames()).toEqual(expect.arrayContaining(["batch-event", "dispatch", "rpc", "solve", "sweep"]));
  });

  it("holds engines only where they run", () => {
    expect(engineFiles("solve")).toEqual(expect.arrayContaining([expect.stringMatching(/highs-solve\.ts$/)]));
    for (const name of bundles.keys()) if (name !== "solve") expect([name, engineFiles(name)]).toEqual([name, []]);
  });

  it("holds clients only of what it uses", () => {
    const clients = (name: string) =>
      [
        ...new Set(
          bundles.get(name)?.inputs.flatMap((file) => /@aws-sdk\/client-([a-z0-9-]+)\//.exec(file)?.[1] ?? []),
        ),
      ].sort();
    expect(clients("rpc")).toEqual(["dynamodb", "s3"]);
    expect(clients("solve")).toEqual(["dynamodb", "s3"]);
    expect(clients("dispatch")).toEqual(["batch", "dynamodb", "eventbridge", "lambda", "s3"]);
  });

  it("holds no server, no database of one machine, and nothing from tests", () => {
    const wrong = /node_modules\/(fastify|pino|undici)\/|platform-local|packages\/server\/|\/testing\//;
    for (const [name, { inputs }] of bundles)
      expect([name, inputs.filter((file) => wrong.test(file))]).toEqual([name, []]);
  });

  it("starts HiGHS from the files beside it", async () => {
    const solve = bundles.get("solve")?.folder ?? "";
    const { compile } = (globalThis as unknown as { WebAssembly: { compile(bytes: Uint8Array): Promise<unknown> } })
      .WebAssembly;
    const module = await compile(readFileSync(join(solve, "highs.wasm")));
    const worker = new Worker(join(solve, "highs-thread.mjs"), { workerData: { module } });
    try {
      const message = await new Promise((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      });
      expect(message).toEqual({ type: "ready" });
    } finally {
      await worker.terminate();
    }
  });
});
