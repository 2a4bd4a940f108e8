// Runs the benches: npm run bench [-- --short] [NAME ...]. Figures go to standard output, and as JSON to test/bench/results.
// The exit code is 1 if a stated goal is missed by a full run, or if a bench could not be run at all.
import { parseArgs } from "node:util";
import { cancel } from "./cancel.bench.ts";
import { clientTransfers } from "./client-transfers.bench.ts";
import { download } from "./download.bench.ts";
import { formats } from "./formats.bench.ts";
import { functions } from "./functions.bench.ts";
import { memory } from "./memory.bench.ts";
import { pipelineCalls } from "./pipeline-calls.bench.ts";
import { pipelineLoad } from "./pipeline-load.bench.ts";
import { pipelineFit, pipelineRx } from "./pipeline-rx.bench.ts";
import { type Bench, keep, machine, show } from "./report.ts";
import { s3Bench } from "./s3.bench.ts";
import { solves } from "./solves.bench.ts";
import { status } from "./status.bench.ts";
import { unary } from "./unary.bench.ts";
import { upload } from "./upload.bench.ts";

const BENCHES: readonly Bench[] = [
  upload,
  download,
  clientTransfers,
  unary,
  status,
  solves,
  cancel,
  memory,
  s3Bench,
  functions,
  formats,
  pipelineCalls,
  pipelineRx,
  pipelineFit,
  pipelineLoad,
];

/** A name, or the beginning of several: `pipeline` means all of its benches. */
const isMeant = (bench: Bench, given: string): boolean => bench.name === given || bench.name.startsWith(`${given}-`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: "boolean", default: false } },
});
const unknown = positionals.filter((name) => !BENCHES.some((bench) => isMeant(bench, name)));
if (unknown.length > 0) {
  process.stderr.write(
    `no such bench: ${unknown.join(", ")}; there is: ${BENCHES.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(1);
}
const chosen = BENCHES.filter((bench) => positionals.length === 0 || positionals.some((name) => isMeant(bench, name)));

process.stdout.write(
  `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; ${machine.system}; Node ${machine.node}\n`,
);
if (values.short) process.stdout.write("short mode: shows that the benches work; the figures mean little\n");
process.stdout.write("\n");

let missed = false;
for (const bench of chosen) {
  const result = await bench.run({ short: values.short });
  keep(bench, result, { short: values.short });
  process.stdout.write(`${show(bench, result)}\n`);
  missed ||= !values.short && result.measures.some(({ goal }) => goal?.isMet === false);
}
process.exitCode = missed ? 1 : 0;
