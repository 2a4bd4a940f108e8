// Hashes what its parent puts into the shared buffer, one stretch at a time.
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";

const bytes = new Uint8Array(workerData as SharedArrayBuffer);

parentPort!.on("message", (length: number) => {
  parentPort!.postMessage(createHash("sha256").update(bytes.subarray(0, length)).digest("hex"));
});
