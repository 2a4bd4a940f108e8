// Mistakes of a person who uses `sortie infer`, `fit` and `pipeline`: each is told in one line, and nothing is run.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NumericArray, tensor, writeNpy } from "@sortie/pipeline";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { fit } from "./fit.ts";
import { infer } from "./infer.ts";
import { pipeline } from "./pipeline.ts";

const PIPELINE = `
nodes:
  - name: data
    class_name: cuvis_ai.node.data.CU3SDataNode
  - name: rx
    class_name: cuvis_ai.anomaly.rx_detector.RXGlobal
    hparams: { num_channels: 4 }
connections:
  - { source: data.outputs.cube, target: rx.inputs.data }
`;

let folder: string;
const at = (name: string): string => join(folder, name);

/** @returns the exit code, and what was written to standard error */
async function told(command: typeof infer, ...args: string[]): Promise<[number, string]> {
  let text = "";
  const [err, out] = [process.stderr, process.stdout].map((stream) =>
    vi.spyOn(stream, "write").mockImplementation((chunk) => {
      if (stream === process.stderr) text += chunk;
      return true;
    }),
  );
  try {
    return [await command(args), text];
  } finally {
    err?.mockRestore();
    out?.mockRestore();
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sortie-infer-"));
  for (const name of ["rx.yaml", "unfitted.yaml"]) writeFileSync(at(name), PIPELINE);
  const cube = tensor(
    "float32",
    [5, 5, 4],
    Float32Array.from({ length: 100 }, (_, i) => Math.sin(i * i)),
  );
  writeFileSync(at("cube.npy"), Buffer.concat(writeNpy(cube as NumericArray)));
  writeFileSync(at("broken.npy"), "no array");
  writeFileSync(at("broken.yaml"), "nodes:\n  - name: x\nconnections: []\n");
  writeFileSync(at("composed.yaml"), "defaults: [base]\n");
  writeFileSync(at("short.txt"), "450 500 550");
  writeFileSync(at("wrong.txt"), "450 nm");
  expect((await told(fit, at("rx.yaml"), "--data", at("cube.npy")))[0]).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each<[string, typeof infer, string[], RegExp]>([
  ["no cube", infer, ["rx.yaml"], /infer needs a pipeline file and a cube/],
  ["an unknown option", infer, ["rx.yaml", "cube.npy", "--bogus"], /--bogus is not an option.*sortie infer --help/],
  ["a chunk size", infer, ["rx.yaml", "cube.npy", "--chunk-bytes", "2"], /--chunk-bytes is "2"/],
  ["no pipeline file", infer, ["none.yaml", "cube.npy"], /none\.yaml: there is no such file/],
  ["no cube file", infer, ["rx.yaml", "none.npy"], /none\.npy: there is no such file/],
  ["a broken pipeline", infer, ["broken.yaml", "cube.npy"], /broken\.yaml: .*class_name/s],
  ["a composed pipeline", infer, ["composed.yaml", "cube.npy"], /composed\.yaml: has a defaults list/],
  ["no weights", infer, ["unfitted.yaml", "cube.npy"], /must be fitted first: rx; there is no weights file beside it/],
  ["named weights that are not there", infer, ["rx.yaml", "cube.npy", "--weights", "none.pt"], /none\.pt: there is no/],
  ["weights that are none", infer, ["rx.yaml", "cube.npy", "--weights", "cube.npy"], /cube\.npy/],
  ["an unknown output", infer, ["rx.yaml", "cube.npy", "--output", "score"], /has no such output; it has .*rx\.scores/],
  [
    "too many masks",
    infer,
    ["rx.yaml", "cube.npy", "--mask", "a", "--mask", "b"],
    /--mask is given 2 times for 1 cubes/,
  ],
  ["wavelengths that are none", infer, ["rx.yaml", "cube.npy", "--wavelengths", "wrong.txt"], /"nm" is no wavelength/],
  ["no server", infer, ["rx.yaml", "cube.npy", "--server", "127.0.0.1:1"], /cannot connect to 127\.0\.0\.1:1/],
  ["nothing to fit on", fit, ["rx.yaml"], /fit needs --data CUBE/],
  ["no file to fit on", fit, ["rx.yaml", "--data", "none.npy"], /none\.npy: there is no such file/],
  ["a broken file to fit on", fit, ["rx.yaml", "--data", "broken.npy"], /broken\.npy/],
  ["too few wavelengths", fit, ["rx.yaml", "--data", "cube.npy", "--wavelengths", "short.txt"], /3/],
  ["an unknown verb", pipeline, ["draw"], /takes export or show, found "draw"/],
  ["an unknown format", pipeline, ["show", "rx.yaml", "--format", "gif"], /--format is "gif"; allowed are png, svg/],
  ["an export without weights", pipeline, ["export", "unfitted.yaml", "x.onnx"], /must be fitted first: rx/],
  ["an export of an unknown output", pipeline, ["export", "rx.yaml", "x.onnx", "--output", "x"], /it has .*rx\.scores/],
])("%s", async (_, command, args, text) => {
  const paths = args.map((arg) => (/\.(yaml|npy|pt|txt|onnx)$/.test(arg) ? at(arg) : arg));
  const [code, err] = await told(command, ...paths);
  expect([code, err]).toEqual([1, expect.stringMatching(text)]);
  expect(err.split("\n").filter((line) => line.startsWith("sortie: ")).length, err).toBe(1);
});
