// What the functions' bundles hold, and that they run.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Pipeline } from "@sortie/pipeline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bundle, bundleFunctions, bundleHost, functionNames } from "../scripts/bundle-functions.ts";

const folder = mkdtempSync(join(tmpdir(), "sortie-bundle-"));
let bundles: ReadonlyMap<string, Bundle>;

beforeAll(async () => {
  const built = await bundleFunctions(folder, { minify: false, arch: process.arch === "arm64" ? "arm64" : "x64" });
  bundles = new Map(built.map((bundle) => [bundle.name, bundle]));
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ENGINE = /node_modules\/highs\/|solve\/src\/engines\/|onnxruntime|pipeline\/src\/runtime\/engine/;
const engineFiles = (name: string) => (bundles.get(name)?.inputs ?? []).filter((file) => ENGINE.test(file));

describe("the bundle of each function", () => {
  it("is there", () => {
    expect([...bundles.keys()]).toEqual(functionNames());
    expect(functionNames()).toEqual(
      expect.arrayContaining(["batch-event", "dispatch", "infer", "rpc", "solve", "sweep"]),
    );
  });

  it("holds engines only where they run", () => {
    expect(engineFiles("solve")).toEqual(expect.arrayContaining([expect.stringMatching(/highs-solve\.ts$/)]));
    expect(engineFiles("infer")).toContain("packages/pipeline/src/runtime/engine-worker.ts");
    for (const name of bundles.keys()) {
      if (name !== "solve" && name !== "infer") expect([name, engineFiles(name)]).toEqual([name, []]);
      const native = existsSync(join(folder, name, "node_modules"));
      const programs = globSync("*.mjs", { cwd: join(folder, name) });
      const texts = programs.map((program) => readFileSync(join(folder, name, program), "utf8"));
      const imports = texts.some((text) => /(from|import|require)\s*\(?\s*"onnxruntime-node"/.test(text));
      expect([name, native, imports]).toEqual([name, name === "infer", name === "infer"]);
    }
  });

  it("holds clients only of what it uses", () => {
    const clients = (name: string) =>
      [
        ...new Set(
          bundles.get(name)?.inputs.flatMap((file) => /@aws-sdk\/client-([a-z0-9-]+)\//.exec(file)?.[1] ?? []),
        ),
      ].sort();
    expect(clients("rpc")).toEqual(["dynamodb", "lambda", "s3"]);
    expect(clients("infer")).toEqual(["dynamodb", "s3"]);
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

  it("runs a model in the thread beside it, with ONNX Runtime for Linux alone", async () => {
    const infer = bundles.get("infer")?.folder ?? "";
    expect(readdirSync(join(infer, "node_modules/onnxruntime-node/bin/napi-v6"))).toEqual(["linux"]);
    const pipeline = new Pipeline({
      nodes: [{ name: "unit", class_name: "cuvis_ai.node.normalization.PerPixelUnitNorm", hparams: {} }],
      connections: [],
    });
    const model = pipeline.exportOnnx();
    const data = { dtype: "float32", shape: [1, 1, 1, 3], data: Float32Array.of(1, 2, 3) } as const;
    const outputs = ["unit.normalized"];
    const worker = new Worker(join(infer, "engine-worker.mjs"));
    try {
      const reply = new Promise((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      });
      worker.postMessage({ type: "load", session: "one", model, providers: ["cpu"] });
      worker.postMessage({ type: "run", id: 1, session: "one", feeds: new Map([["data", data]]), outputs });
      const { values } = (await reply) as { values: Map<string, { data: Float32Array }> };
      const found = [...(values.get("unit.normalized")?.data ?? [])];
      for (const [i, value] of [-Math.SQRT1_2, 0, Math.SQRT1_2].entries()) expect(found[i]).toBeCloseTo(value, 6);
    } finally {
      await worker.terminate();
    }
  });

  it("of the host listens, with the engine and the files for drawing beside it", async () => {
    const { folder: at, inputs } = await bundleHost(join(folder, "host"));
    expect(inputs).toContain("packages/pipeline/src/runtime/engine-worker.ts");
    expect(inputs.filter((file) => /platform-local|\/testing\//.test(file))).toEqual([]);
    for (const file of ["engine-worker.mjs", "resvg.wasm", "node_modules/onnxruntime-node/bin/napi-v6/linux/x64"]) {
      expect([file, existsSync(join(at, file))]).toEqual([file, true]);
    }
    const env = { SORTIE_TABLE: "t", SORTIE_BUCKET: "b", SORTIE_CPU_QUEUE: "q", SORTIE_CPU_DEFINITION: "d" };
    const child = spawn(process.execPath, [join(at, "index.mjs")], {
      env: { ...env, SORTIE_HOST_PORT: "0", AWS_REGION: "us-east-1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exit = once(child, "exit");
    let said = "";
    let told = false;
    for await (const chunk of child.stdout.setEncoding("utf8")) {
      said += chunk;
      if (!told && said.includes('"listening"')) told = child.kill("SIGTERM");
    }
    expect([said.includes('"listening"'), await exit]).toEqual([true, [0, null]]);
  }, 120_000);

  it("draws with the files beside it", () => {
    const rpc = bundles.get("rpc")?.folder ?? "";
    const require = createRequire(new URL("../packages/pipeline/src/index.ts", import.meta.url));
    for (const [name, source] of [
      ["resvg.wasm", "@resvg/resvg-wasm/index_bg.wasm"],
      ["regular.ttf", "@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf"],
      ["bold.ttf", "@expo-google-fonts/arimo/700Bold/Arimo_700Bold.ttf"],
    ] as const) {
      expect(readFileSync(join(rpc, name)).equals(readFileSync(require.resolve(source)))).toBe(true);
    }
  });
});
