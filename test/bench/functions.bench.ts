// The functions as they are uploaded: how large each is, and how long a fresh process takes until its handler is there.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleFunctions } from "../../scripts/bundle-functions.ts";
import { type Bench, type Measure, MIB, medianOf, secondsOf } from "./report.ts";

/** Stands in for Lambda's runtime: its global, and the import of the module that it is told. */
const RUNTIME = `
globalThis.awslambda = { streamifyResponse: (handler) => handler, HttpResponseStream: {} };
const { handler } = await import(process.argv[2]);
if (typeof handler !== "function") throw new Error("the module exports no handler");
process.exit(0);
`;

/** What the stacks tell every function. */
const ENVIRONMENT = {
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "bench",
  AWS_SECRET_ACCESS_KEY: "bench",
  AWS_EC2_METADATA_DISABLED: "true",
  SORTIE_TABLE: "sortie",
  SORTIE_BUCKET: "sortie",
  SORTIE_CPU_QUEUE: "cpu",
  SORTIE_CPU_DEFINITION: "worker",
};

async function startOf(runtime: string, module: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", runtime, pathToFileURL(module).href],
    {
      env: { PATH: process.env["PATH"], ...ENVIRONMENT },
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${module} did not start: exit code ${code}`);
}

export const functions: Bench = {
  name: "functions",
  about: "the bundled functions: size, and a fresh process until the handler is there",
  async run({ short }) {
    const rounds = short ? 1 : 9;
    const folder = mkdtempSync(join(tmpdir(), "sortie-bench-functions-"));
    try {
      const runtime = join(folder, "runtime.mjs");
      const empty = join(folder, "empty.mjs");
      writeFileSync(runtime, RUNTIME);
      writeFileSync(empty, "export const handler = () => undefined;\n");
      const bundles = await bundleFunctions(folder);
      const milliseconds = (module: string) =>
        medianOf(rounds, async () => 1000 * (await secondsOf(() => startOf(runtime, module))));
      const baseline = { what: "an empty function", value: await milliseconds(empty) };
      const measures: Measure[] = [];
      for (const { name, bytes, folder: bundle } of bundles) {
        measures.push({ what: `${name}, size`, value: bytes / MIB, unit: "MiB" });
        const value = await milliseconds(join(bundle, "index.mjs"));
        measures.push({ what: `${name}, start`, value, unit: "ms", baseline });
      }
      return { input: `${bundles.length} functions, median of ${rounds} starts`, measures };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
