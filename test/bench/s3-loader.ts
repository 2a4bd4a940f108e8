// A worker that only loads: claims a job, reads its input as every worker does, looks at every element, and says what that
// took, as JSON. The engine cannot solve what a gibibyte of arrays describes; loading it is the same for any engine.
//
// Usage: s3-loader.ts JOB
import { claimJob } from "@sortie/core";
import { openAwsWorker, readAwsSettings } from "@sortie/platform-aws";
import { peakMemory } from "./processes.ts";

await using platform = openAwsWorker(readAwsSettings(process.env));
// Connections and code are there before what is measured.
const attempt = await claimJob(platform, process.argv[2] ?? "", "batch:loader");
if (!attempt) throw new Error("there is no such job to take");
const idle = peakMemory(process.pid);
const started = performance.now();
const arrays = await attempt.loadInput();
const seconds = (performance.now() - started) / 1000;
let bytes = 0;
let sum = 0;
for (const array of arrays.values()) {
  bytes += array.byteLength;
  for (const element of new Int32Array(array.buffer, array.byteOffset, array.byteLength / 4)) sum = (sum + element) | 0;
}
const peak = peakMemory(process.pid);
await attempt.complete({ message: "", arrays: [] }, { load: seconds });
process.stdout.write(JSON.stringify({ idle, peak, bytes, seconds, sum }));
