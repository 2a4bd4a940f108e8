// The functions as they are uploaded: how large each is, and how long a fresh process takes until its handler is there.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { bundleFunctions } from "../../scripts/bundle-functions.ts";
import { type Bench, type Measure, MIB, percentile } from "./report.ts";

/** Stands in for Lambda's runtime: its global, and the import of the module that it is told. Prints its processor time, µs. */
const RUNTIME = `
globalThis.awslambda = { streamifyResponse: (handler) => handler, HttpResponseStream: {} };
const { handler } = await import(process.argv[2]);
if (typeof handler !== "function") throw new Error("the module exports no handler");
const { user, system } = process.cpuUsage();
process.stdout.write(String(user + system), () => process.exit(0));
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

interface Start {
  readonly wallMs: number;
  /** Of all threads; what other work on the machine does to the time on the wall, it does not do to this. */
  readonly processorMs: number;
}

async function startOnce(runtime: string, module: string): Promise<Start> {
  const started = performance.now();
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", runtime, pathToFileURL(module).href],
    {
      env: { PATH: process.env["PATH"], ...ENVIRONMENT },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [[code], microseconds] = await Promise.all([once(child, "exit"), text(child.stdout)]);
  if (code !== 0) throw new Error(`${module} did not start: exit code ${code}`);
  return { wallMs: performance.now() - started, processorMs: Number(microseconds) / 1000 };
}

/** Medians, after one start that does not count. */
async function startOf(runtime: string, module: string, rounds: number): Promise<Start> {
  await startOnce(runtime, module);
  const starts: Start[] = [];
  for (let i = 0; i < rounds; i++) starts.push(await startOnce(runtime, module));
  return {
    wallMs: percentile(starts.map(({ wallMs }) => wallMs)),
    processorMs: percentile(starts.map(({ processorMs }) => processorMs)),
  };
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
      const none = await startOf(runtime, empty, rounds);
      const what = "an empty function";
      const measures: Measure[] = [];
      for (const { name, bytes, folder: bundle } of bundles) {
        measures.push({ what: `${name}, size`, value: bytes / MIB, unit: "MiB" });
        const { wallMs, processorMs } = await startOf(runtime, join(bundle, "index.mjs"), rounds);
        measures.push(
          { what: `${name}, start`, value: wallMs, unit: "ms", baseline: { what, value: none.wallMs } },
          {
            what: `${name}, start, processor time`,
            value: processorMs,
            unit: "ms",
            baseline: { what, value: none.processorMs },
          },
        );
      }
      return { input: `${bundles.length} functions, median of ${rounds} starts`, measures };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
