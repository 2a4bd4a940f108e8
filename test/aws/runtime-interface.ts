// The functions inside AWS's own runtime interface client, all of them: a probe, a solve by one message, a solve in chunks,
// and a log that is streamed. Run by scripts/test-lambda-runtime.sh, which builds that client.
//
// node runtime-interface.ts CLIENT, the client's index.mjs
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { createToken, systemClock } from "@sortie/core";
import { JobStatus } from "@sortie/wire";
import { Client, until } from "../faults/harness.ts";
import { boundedLp, chunksOf, tinyLp } from "../faults/problems.ts";
import { Cloud } from "./cloud.ts";
import type { Bootstrap } from "./lambda.ts";

const [, , runtimeClient = ""] = process.argv;
const folder = mkdtempSync(join(tmpdir(), "sortie-runtime-interface-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

/** The client looks for JavaScript files only: each function gets one that leads to its source. */
const bootstrap: Bootstrap = ({ file }) => {
  const name = basename(file, ".ts");
  writeFileSync(join(folder, `${name}.mjs`), `export { handler } from ${JSON.stringify(pathToFileURL(file).href)};\n`);
  return { args: [runtimeClient], environment: { _HANDLER: `${name}.handler`, LAMBDA_TASK_ROOT: folder } };
};

await using cloud = await Cloud.open({ bootstrap });
const { table } = cloud.worker();
const { token } = await createToken({ table, clock: systemClock }, { tenant: "runtime-interface" });
const options = {
  baseUrl: `http://127.0.0.1:${cloud.url.port}`,
  httpVersion: "1.1" as const,
  interceptors: [
    (next: (request: never) => never) => (request: never) => {
      (request as { header: Headers }).header.set("authorization", `Bearer ${token}`);
      return next(request);
    },
  ] as never[],
};

async function check(what: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    console.log(`ok: ${what}`);
  } catch (error) {
    console.error(cloud.log);
    throw new Error(`not ok: ${what}`, { cause: error });
  }
}

for (const [protocol, transport] of [
  ["Connect", createConnectTransport(options)],
  ["gRPC-Web", createGrpcWebTransport(options)],
] as const) {
  const client = new Client(transport);

  await check(`${protocol}: a connecting client is answered`, async () => {
    const answer = await client.cuopt.checkStatus({ jobId: "__connection_probe__" });
    assert.equal(answer.jobStatus, JobStatus.NOT_FOUND);
    assert.equal(answer.maxMessageBytes, 4n * 1024n * 1024n);
    const refused = await client.cuopt.startChunkedDownload({ jobId: "nobody's" }).catch(ConnectError.from);
    assert.ok(refused instanceof ConnectError);
    assert.equal(refused.code, Code.NotFound);
  });

  await check(`${protocol}: a problem in one message is solved, and its log streamed twice is the same`, async () => {
    const jobId = await client.submit(tinyLp(5));
    const live = await client.log(jobId);
    assert.equal(await client.end(jobId), JobStatus.COMPLETED);
    const { solution } = await client.result(jobId);
    assert.deepEqual([...(solution?.arrays.get(0) ?? [])], [5]);
    assert.ok(live.length > 3);
    assert.deepEqual(await client.log(jobId), live);
  });

  await check(`${protocol}: a problem in chunks is solved, and its result fetched in slices`, async () => {
    const problem = boundedLp(Float64Array.from({ length: 20_000 }, (_, i) => 1 + (i % 97)));
    const { uploadId } = await client.cuopt.startChunkedUpload({ problemHeader: { header: { version: 1 } } });
    for (const chunk of chunksOf(problem, 128 * 1024)) await client.cuopt.sendArrayChunk({ uploadId, chunk });
    const { jobId } = await client.cuopt.finishChunkedUpload({ uploadId });
    assert.equal(await client.end(jobId), JobStatus.COMPLETED);
    const { downloadId, header } = await client.cuopt.startChunkedDownload({ jobId });
    const total = Number(header?.arrays.find(({ fieldId }) => fieldId === 0)?.totalElements);
    assert.equal(total, problem.columns);
    let sum = 0;
    for (let at = 0; at < total; at += 5000) {
      const slice = { downloadId, fieldId: 0, elementOffset: BigInt(at), maxElements: 5000n };
      const { data } = await client.cuopt.getResultChunk(slice);
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      for (let byte = 0; byte < data.byteLength; byte += 8) sum += view.getFloat64(byte, true);
    }
    assert.ok(Math.abs(sum / problem.objective! - 1) < 1e-6);
    await client.cuopt.finishChunkedDownload({ downloadId });
    await client.cuopt.deleteResult({ jobId });
  });
}

await check("what was deleted is swept away", async () => {
  await until("no blob of a deleted job is left", async () => {
    const objects = await cloud.objects();
    return !objects.some((key) => key.startsWith("uploads/"));
  });
});
assert.deepEqual(cloud.lambda.deadLetters, []);
console.log("the functions run in AWS's runtime interface client");
