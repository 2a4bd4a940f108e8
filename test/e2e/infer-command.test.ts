// `sortie fit`, `sortie infer` and `sortie pipeline` as a person uses them: real files, wrong files, folders, Ctrl-C.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bytesSource, type NumericArray, readNpy, tensor, writeNpy } from "@sortie/pipeline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedServer } from "../conformance/embedded-server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const [LINES, SAMPLES, BANDS] = [20, 24, 8];

const PIPELINE = `
nodes:
  - name: data
    class_name: cuvis_ai.node.data.CU3SDataNode
  - name: rx
    class_name: cuvis_ai.anomaly.rx_detector.RXGlobal
    hparams: { num_channels: ${BANDS} }
  - name: logit
    class_name: cuvis_ai.node.conversion.ScoreToLogit
  - name: decider
    class_name: cuvis_ai.deciders.binary_decider.BinaryDecider
connections:
  - { source: data.outputs.cube, target: rx.inputs.data }
  - { source: rx.outputs.scores, target: logit.inputs.scores }
  - { source: logit.outputs.logits, target: decider.inputs.logits }
metadata: { name: RX }
`;

/** Noise, with three pixels that are of another kind. */
function scene(lines: number, samples: number): Float32Array {
  const values = new Float32Array(lines * samples * BANDS);
  let state = 5;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 4294967296;
  }
  for (const pixel of STRANGE)
    for (let band = 0; band < BANDS; band++) values[pixel * BANDS + band]! += band % 2 ? 2 : -2;
  return values;
}
const STRANGE = [70, 71, 300];

let folder: string;
const at = (...names: string[]): string => join(folder, ...names);
const npy = (path: string, array: unknown) => writeFileSync(path, Buffer.concat(writeNpy(array as NumericArray)));
const readArray = async (path: string): Promise<NumericArray> => readNpy(bytesSource(path, readFileSync(path)));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sortie-infer-"));
  writeFileSync(at("rx.yaml"), PIPELINE);
  npy(at("cube.npy"), tensor("float32", [LINES, SAMPLES, BANDS], scene(LINES, SAMPLES)));
  const labels = new Uint8Array(LINES * SAMPLES);
  for (const pixel of STRANGE) labels[pixel] = 1;
  npy(at("mask.npy"), tensor("uint8", [LINES, SAMPLES], labels));
  const { code, out } = await sortie(["fit", at("rx.yaml"), "--data", at("cube.npy")]);
  expect(code).toBe(0);
  expect(out).toMatch(/rx\.yaml: RX, 2 of 4 nodes to fit, 1 cubes\nfitted rx \(1 of 2\) on 1 batches\nfitted logit/);
  expect(out).toMatch(/wrote .*rx\.pt \(.* kB\)\n$/);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the program; `onOutput` sees all standard output so far and may act on the process. */
function sortie(args: readonly string[], onOutput?: (out: string, interrupt: () => void) => void): Promise<Run> {
  const child = spawn(
    process.execPath,
    [
      "--conditions=sortie-source",
      "--disable-warning=ExperimentalWarning",
      join(root, "packages/cli/src/main.ts"),
      ...args,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let out = "";
  let err = "";
  child.stdout.on("data", (text) => {
    out += text;
    onOutput?.(out, () => child.kill("SIGINT"));
  });
  child.stderr.on("data", (text) => {
    err += text;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

describe("sortie infer", () => {
  it("writes scores and a heat map, and tells range and AUC", async () => {
    const { code, out, err } = await sortie([
      ...["infer", at("rx.yaml"), at("cube.npy"), "--mask", at("mask.npy"), "--out", at("out")],
    ]);
    expect(err).toMatch(/cube\.npy: says no wavelengths; the pipeline is given zeros/);
    expect(code).toBe(0);
    expect(out).toMatch(/cube\.npy: 20 x 24 pixels, 8 bands, float32\nuploaded .* in 3 chunks, job [0-9a-f-]{36}\n/);
    expect(out).toMatch(/rx\.scores: min \S+ {2}mean \S+ {2}max \S+ {2}AUC 1\.000000\n/);
    expect(out).toMatch(/decider\.decisions: min 0 {2}mean \S+ {2}max 1\n/);
    const files = [
      "cube.decider.decisions.npy",
      "cube.decider.decisions.png",
      "cube.rx.scores.npy",
      "cube.rx.scores.png",
    ];
    expect(readdirSync(at("out")).sort()).toEqual(files);
    const scores = await readArray(at("out", "cube.rx.scores.npy"));
    expect(scores).toMatchObject({ dtype: "float32", shape: [1, LINES, SAMPLES, 1] });
    const order = Array.from(scores.data as Float32Array, (score, pixel) => ({ score, pixel }));
    const highest = order.sort((a, b) => b.score - a.score).slice(0, 3);
    expect(highest.map(({ pixel }) => pixel).sort((a, b) => a - b)).toEqual(STRANGE);
    const png = readFileSync(at("out", "cube.rx.scores.png"));
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    // Ten times as large, to be seen.
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([SAMPLES * 10, LINES * 10]);
  });

  it("takes a folder as one job per cube, on a server that is running, and sums up", async () => {
    const cubes = at("cubes");
    mkdirSync(cubes, { recursive: true });
    npy(join(cubes, "a.npy"), tensor("float32", [LINES, SAMPLES, BANDS], scene(LINES, SAMPLES)));
    npy(join(cubes, "a_mask.npy"), tensor("uint8", [LINES, SAMPLES], new Uint8Array(LINES * SAMPLES)));
    npy(
      join(cubes, "b.npy"),
      tensor(
        "uint16",
        [9, 7, BANDS],
        Uint16Array.from({ length: 9 * 7 * BANDS }, (_, i) => i),
      ),
    );
    npy(join(cubes, "c.npy"), tensor("float32", [3, 3, 5], new Float32Array(45)));
    writeFileSync(join(cubes, "notes.txt"), "no cube");
    const server = new EmbeddedServer(["--workers", "1"]);
    await server.start();
    try {
      const { code, out, err } = await sortie([
        ...["infer", at("rx.yaml"), cubes, "--server", `127.0.0.1:${server.port}`, "--output", "scores"],
        ...["--out", at("many"), "--chunk-bytes", "4096"],
      ]);
      expect(err).toMatch(/c\.npy: the job failed: .*5/);
      expect(code).toBe(1);
      const table = out.slice(out.indexOf("\ncube ")).trim().split("\n");
      expect(table[0]).toMatch(/^cube +time +output +min +mean +max +AUC$/);
      expect(table[1]).toMatch(/^a\.npy +\d+\.\d s +rx\.scores +\S+ +\S+ +\S+ +-$/);
      expect(table[2]).toMatch(/^b\.npy +\d+\.\d s +rx\.scores /);
      expect(table.slice(3)).toEqual(["c.npy  failed"]);
    } finally {
      await server.dispose();
    }
    expect(readdirSync(at("many")).sort()).toEqual([
      "a.rx.scores.npy",
      "a.rx.scores.png",
      "b.rx.scores.npy",
      "b.rx.scores.png",
    ]);
  });

  it("cancels at Ctrl-C", async () => {
    npy(at("large.npy"), tensor("float32", [600, 600, BANDS], scene(600, 600)));
    let interrupted = false;
    const { code, err } = await sortie(
      ["infer", at("rx.yaml"), at("large.npy"), "--out", at("none")],
      (text, interrupt) => {
        if (interrupted || !text.includes("embedded server on")) return;
        interrupted = true;
        interrupt();
      },
    );
    expect(err).toBe("sortie: cancelled\n");
    expect(code).toBe(130);
  });
});

describe("sortie pipeline", () => {
  it("exports one model, which ONNX Runtime runs with the same answer", async () => {
    const model = at("rx.onnx");
    const { code, out, err } = await sortie(["pipeline", "export", at("rx.yaml"), model, "--output", "rx.scores"]);
    expect([err, code]).toEqual(["", 0]);
    expect(out).toMatch(/^wrote .*rx\.onnx \(\d+ B\)\n$/);
    const ran = await sortie(["infer", at("rx.yaml"), at("cube.npy"), "--output", "rx.scores", "--out", at("again")]);
    expect(ran.code).toBe(0);
    const expected = (await readArray(at("again", "cube.rx.scores.npy"))).data as Float32Array;
    const require = createRequire(new URL("../../packages/pipeline/package.json", import.meta.url));
    const { InferenceSession, Tensor } = require("onnxruntime-node") as typeof import("onnxruntime-node");
    const session = await InferenceSession.create(model);
    expect(session.outputNames).toEqual(["rx.scores"]);
    const cube = new Tensor("float32", scene(LINES, SAMPLES), [1, LINES, SAMPLES, BANDS]);
    const { "rx.scores": scores } = await session.run({ cube });
    const found = scores?.data as Float32Array;
    expect(found.length).toBe(expected.length);
    for (const [i, value] of expected.entries()) expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(1e-5 * value);
    await session.release();
  });

  it("draws nodes and connections in every format", async () => {
    const show = async (...args: string[]) => {
      const { code, out, err } = await sortie(["pipeline", "show", at("rx.yaml"), ...args]);
      expect([err, code]).toEqual(["", 0]);
      return out;
    };
    expect(await show()).toMatch(/^(flowchart|graph) /m);
    expect(await show("--format", "dot")).toMatch(/^digraph /m);
    expect(await show("--format", "svg")).toMatch(/<svg/);
    expect(await show("-o", at("rx.png"))).toBe(`wrote ${at("rx.png")}\n`);
    expect(readFileSync(at("rx.png")).subarray(1, 4).toString()).toBe("PNG");
  });
});
