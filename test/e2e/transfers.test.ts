// Direct transfers on a real server process, and on S3 through the same handlers: a problem goes by signed links, is cut
// off and taken up by another client, and its result comes back by links with the bits that chunks bring.
import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, createClient, createRouterTransport, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { LinkTransfers, SortieClient } from "@sortie/client";
import { type Context, DEFAULT_LIMITS, LOCAL_PLACEMENT, systemClock, systemIds } from "@sortie/core";
import { S3Blobs } from "@sortie/platform-aws";
import { createRoutes } from "@sortie/rpc";
import { createHighsEngine } from "@sortie/solve";
import {
  ArrayFieldId,
  type CreateUploadRequestSchema,
  CuOptRemoteService,
  ElementType,
  JobService,
  type ProblemToSend,
  ResultFieldId,
  type SignedLink,
  TransferService,
  UploadState,
} from "@sortie/wire";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { MemoryTable } from "../../packages/core/src/testing/index.ts";
import { runJob } from "../../packages/worker/src/run-job.ts";
import { createSolveRunner } from "../../packages/worker/src/solve-job.ts";
import { identity } from "../aws/environment.ts";
import { testBuckets } from "../aws/s3.ts";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import {
  AFIRO_OBJECTIVE,
  ARRAY_NAMES,
  afiro,
  bytesOf,
  chunksOf,
  elementBytesOf,
  fieldIdOf,
  type Model,
  tinyLp,
  withArrays,
} from "../conformance/models.ts";
import { refused, UNKNOWN_ID } from "../conformance/session.ts";
import { until } from "../conformance/until.ts";

interface Deployment {
  readonly transport: () => Transport;
  /** Keys of the blobs that there are. */
  readonly keys: () => Promise<string[]>;
  /** Whether the store refuses what a link does not allow: emulators of S3 look at neither length nor content. */
  readonly strict: boolean;
  close(): Promise<void>;
}

async function openEmbedded(): Promise<Deployment> {
  const server = new EmbeddedServer(["--workers", "1"]);
  await server.start();
  const folder = join(server.dataDir, "blobs");
  return {
    transport: () => createConnectTransport({ httpVersion: "1.1", baseUrl: server.url() }),
    keys: async () =>
      readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
        statSync(join(folder, name)).isFile(),
      ),
    strict: true,
    close: () => server.dispose(),
  };
}

/** The handlers as a function has them, with the table in memory, S3, and a worker in this process. */
async function openOnS3(bucket: { readonly bucket: string; readonly endpoint: string }): Promise<Deployment> {
  const blobs = new S3Blobs({ ...bucket, ...identity });
  const engine = createHighsEngine();
  const ends: Promise<unknown>[] = [];
  const stop = new AbortController();
  const faults: unknown[] = [];
  const onFault = (_what: string, error: unknown) => faults.push(error);
  const context: Context = {
    table: new MemoryTable(),
    blobs,
    clock: systemClock,
    ids: systemIds,
    limits: DEFAULT_LIMITS,
    placement: LOCAL_PLACEMENT,
    events: { publish: async () => {} },
    dispatcher: {
      attemptEndsWith: "lease",
      async dispatch({ jobId }) {
        const options = { signal: stop.signal, onFault };
        ends.push(runJob(context, jobId, `worker-${jobId}`, { lp: createSolveRunner(engine) }, options));
      },
      stop: async () => {},
      waiting: () => undefined,
      isAlive: async () => "unknown",
      [Symbol.asyncDispose]: async () => {},
    },
    onFault,
  };
  const routes = createRoutes(context, { maxMessageBytes: 4 * 1024 * 1024, callerOf: () => ({ tenant: "local" }) });
  return {
    transport: () => createRouterTransport(routes.binary),
    keys: async () => {
      const keys: string[] = [];
      for await (const { key } of blobs.list("")) keys.push(key);
      return keys;
    },
    strict: false,
    close: async () => {
      await Promise.all(ends);
      await engine[Symbol.asyncDispose]?.();
      await blobs[Symbol.asyncDispose]();
      expect(faults).toEqual([]);
    },
  };
}

async function connected(deployment: Deployment): Promise<SortieClient> {
  const client = new SortieClient(deployment.transport());
  await client.connect();
  return client;
}

/** A model as the client takes it. */
function problemOf(model: Model): ProblemToSend & { readonly kind: "lp" | "mip" } {
  const { kind, maximize = false, objectiveOffset = 0, problemName = "" } = model;
  const { variable_names: variableNames, row_names: rowNames, ...numeric } = model.arrays;
  const arrays = new Map(
    Object.entries(numeric).map(([name, array]) => [fieldIdOf(name as "c") as ArrayFieldId, array] as const),
  );
  return {
    kind,
    maximize,
    objectiveOffset,
    problemName,
    arrays,
    ...(variableNames && { variableNames: [...variableNames] }),
    ...(rowNames && { rowNames: [...rowNames] }),
  };
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const bits = (array: Float64Array | undefined) =>
  array && Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("hex");
const header = { header: { version: 1 }, maximize: true };

const openTestBucket = testBuckets();

describe.each([
  ["the embedded server", openEmbedded],
  ["S3", async () => openOnS3(await openTestBucket())],
] as const)("on %s", (_, open) => {
  let deployment: Deployment;
  let service: Client<typeof TransferService>;
  let solver: Client<typeof CuOptRemoteService>;
  beforeAll(async () => {
    deployment = await open();
    service = createClient(TransferService, deployment.transport());
    solver = createClient(CuOptRemoteService, deployment.transport());
  });
  afterAll(() => deployment?.close());

  const linkTo = async (
    uploadId: string,
    array: string,
    elementOffset: bigint,
    options: { sha256?: Uint8Array; expirySeconds?: number } = {},
  ): Promise<SignedLink> => {
    const { expirySeconds = 0, sha256: digest = new Uint8Array(0) } = options;
    const parts = [{ array, elementOffset, sha256: digest }];
    const { links } = await service.getUploadLinks({ uploadId, parts, expirySeconds });
    return links[0]!.link!;
  };
  const put = async ({ url, headers }: { url: string; headers: Record<string, string> }, body: Uint8Array) => {
    const answer = await fetch(url, { method: "PUT", headers, body: new Uint8Array(body) });
    return { status: answer.status, text: await answer.text() };
  };

  /** An upload for the model, with every array declared. */
  const create = async (model: Model, partBytes = 0) => {
    const arrays = ARRAY_NAMES.map((name) => ({
      name,
      elements: BigInt(bytesOf(model, name).byteLength / elementBytesOf(name)),
    }));
    return service.createUpload({ problemHeader: header, arrays, partBytes: BigInt(partBytes) });
  };
  /** Sends every array that is one part long. */
  const sendAll = async (uploadId: string, model: Model, unchecked: readonly string[] = []) => {
    for (const name of ARRAY_NAMES) {
      const bytes = bytesOf(model, name);
      if (bytes.byteLength === 0) continue;
      const digest = unchecked.includes(name) ? new Uint8Array(0) : sha256(bytes);
      expect(await put(await linkTo(uploadId, name, 0n, { sha256: digest }), bytes)).toEqual({ status: 200, text: "" });
    }
  };

  it("a problem goes by links, is cut off, is taken up by another client and solved; its result comes by links as by chunks", async () => {
    const problem = problemOf(afiro());
    let uploadId = "";
    let sent = 0;
    const cut = new AbortController();
    const first = new LinkTransfers(deployment.transport(), {
      partBytes: 1024,
      parallelParts: 2,
      fetch: async (...args) => {
        const answer = await fetch(...args);
        sent += 1;
        if (sent === 3) cut.abort(new Error("the client is gone"));
        return answer;
      },
    });
    const cutOff = first.submit(problem, { signal: cut.signal, onUpload: (id) => (uploadId = id) });
    await expect(cutOff).rejects.toThrow();
    const state = await service.getUploadState({ uploadId });
    expect(state.state).toBe(UploadState.OPEN);
    expect(state.receivedBytes).toBeGreaterThan(0n);
    expect(state.receivedBytes).toBeLessThan(state.totalBytes);
    const parts = state.arrays.flatMap((array) => array.parts);
    const received = parts.filter((part) => part.received);
    await refused(service.submitUpload({ uploadId }), Code.InvalidArgument, /ValidationError: array .* were not sent/);

    let puts = 0;
    const second = new LinkTransfers(deployment.transport(), {
      fetch: (...args) => {
        puts += args[1]?.method === "PUT" ? 1 : 0;
        return fetch(...args);
      },
    });
    const jobId = await second.submit(problem, { uploadId });
    expect(puts).toBe(parts.length - received.length);
    expect((await service.getUploadState({ uploadId })).jobId).toBe(jobId);
    // A repeat finds the job.
    expect(await second.submit(problem, { uploadId })).toBe(jobId);
    const client = await connected(deployment);
    await client.wait(jobId);
    const byLinks = await second.result(jobId);
    const byMessage = await client.result(jobId);
    expect(byLinks.kind).toBe("lp");
    expect(byLinks.scalars).toEqual(byMessage.scalars);
    expect(byLinks.kind === "lp" && byLinks.scalars.primalObjective).toBeCloseTo(AFIRO_OBJECTIVE, 6);
    const { downloadId, header: described } = await solver.startChunkedDownload({ jobId });
    expect([...byLinks.arrays.keys()]).toEqual(described!.arrays.map(({ fieldId }) => fieldId));
    for (const { fieldId } of described!.arrays) {
      const { data } = await solver.getResultChunk({ downloadId, fieldId, elementOffset: 0n, maxElements: 0n });
      expect(bits(byLinks.arrays.get(fieldId))).toBe(Buffer.from(data).toString("hex"));
    }
    await solver.finishChunkedDownload({ downloadId });
    const links = await service.getResultLinks({ jobId });
    expect(links.arrays.map(({ name, elementType }) => [name, ElementType[elementType]])).toEqual([
      ["primal_solution", "FLOAT64"],
      ["dual_solution", "FLOAT64"],
      ["reduced_cost", "FLOAT64"],
    ]);
    await client.delete(jobId);
    await refused(service.getResultLinks({ jobId }), Code.NotFound);
  });

  it("one upload may mix chunks and links, and end by either call", async () => {
    for (const way of ["submitUpload", "finishChunkedUpload"] as const) {
      const model = tinyLp();
      const { uploadId } = await create(model);
      const [firstHalf, ...rest] = chunksOf(model, 16, ["A_values"]);
      for (const chunk of [firstHalf!, ...rest]) await solver.sendArrayChunk({ uploadId, chunk });
      for (const name of ARRAY_NAMES.filter((each) => each !== "A_values")) {
        const bytes = bytesOf(model, name);
        if (bytes.byteLength > 0) await put(await linkTo(uploadId, name, 0n, { sha256: sha256(bytes) }), bytes);
      }
      const { receivedBytes, totalBytes } = await service.getUploadState({ uploadId });
      expect(receivedBytes).toBe(totalBytes);
      const { jobId } = await (way === "submitUpload"
        ? service.submitUpload({ uploadId })
        : solver.finishChunkedUpload({ uploadId }));
      const client = await connected(deployment);
      await client.wait(jobId);
      const { scalars } = await client.result(jobId);
      expect("primalObjective" in scalars && scalars.primalObjective).toBeCloseTo(2.8, 6);
    }
  });

  it("what nobody saw on its way in is judged by the worker: the job fails with the array and the element", async () => {
    const model = withArrays(tinyLp(), { A_indices: Int32Array.of(0, 1, 0, 7) });
    const { uploadId } = await create(model);
    await sendAll(uploadId, model, ["A_indices"]);
    const { jobId } = await service.submitUpload({ uploadId });
    const client = await connected(deployment);
    await expect(client.wait(jobId)).rejects.toThrow(/ValidationError: A_indices\[3\] is 7; 0 to 1 is allowed/);
    const job = await createClient(JobService, deployment.transport()).getJob({ id: jobId });
    expect(job.job?.failure).toMatch(/^ValidationError: A_indices\[3\]/);
  });

  it("sizes that do not fit each other are refused at submission, and the upload stays open", async () => {
    const model = withArrays(tinyLp(), { variable_lower_bounds: Float64Array.of(0, 0, 0) });
    const { uploadId } = await create(model);
    await sendAll(uploadId, model);
    await refused(
      service.submitUpload({ uploadId }),
      Code.InvalidArgument,
      "ValidationError: variable_lower_bounds has 3 elements; 2 are needed",
    );
    expect((await service.getUploadState({ uploadId })).state).toBe(UploadState.OPEN);
    await service.abortUpload({ uploadId });
  });

  it("a link takes its own bytes only", async () => {
    const model = tinyLp();
    const { uploadId } = await create(model);
    const bytes = bytesOf(model, "c");
    const link = await linkTo(uploadId, "c", 0n, { sha256: sha256(bytes) });
    const altered = bytes.slice();
    altered[3]! ^= 1;
    const outcomes = await Promise.all([put(link, altered), put({ ...link, headers: {} }, bytes.subarray(1))]);
    if (deployment.strict) {
      for (const { status } of outcomes) expect(status).toBe(400);
      expect(outcomes[0]?.text).toContain("SHA-256");
      expect(outcomes[1]?.text).toContain("exactly 16 bytes");
      expect((await service.getUploadState({ uploadId })).receivedBytes).toBe(0n);
    } else {
      // The emulator has taken it: the size is met at submission, the content when it is read.
      await sendAll(uploadId, model);
      await put(link, altered);
      const { jobId } = await service.submitUpload({ uploadId });
      await expect((await connected(deployment)).wait(jobId)).rejects.toThrow(/do not match their digest/);
      return;
    }
    expect(await put(link, bytes)).toEqual({ status: 200, text: "" });
    // Again is harmless: the answer may have been lost.
    expect(await put(link, bytes)).toEqual({ status: 200, text: "" });
    await service.abortUpload({ uploadId });
  });

  it("an aborted upload is unknown, and holds nothing", async () => {
    const model = tinyLp();
    const { uploadId } = await create(model);
    await sendAll(uploadId, model);
    expect((await deployment.keys()).some((key) => key.includes(uploadId))).toBe(true);
    await service.abortUpload({ uploadId });
    expect((await deployment.keys()).some((key) => key.includes(uploadId))).toBe(false);
    for (const call of [service.getUploadState, service.submitUpload, service.abortUpload]) {
      await refused(call({ uploadId }), Code.NotFound, "Upload not found");
    }
    await refused(linkTo(uploadId, "c", 0n), Code.NotFound);
    await refused(solver.sendArrayChunk({ uploadId, chunk: chunksOf(model, 64)[0]! }), Code.NotFound);
  });

  it("requests that make no sense name what is wrong", async () => {
    const model = tinyLp();
    const bad = (
      init: Omit<MessageInitShape<typeof CreateUploadRequestSchema>, "$typeName" | "problemHeader">,
      text: string,
    ) => refused(service.createUpload({ problemHeader: header, ...init }), Code.InvalidArgument, text);
    await bad({ arrays: [{ name: "D", elements: 1n }] }, "array D is none that a problem has");
    await bad({ arrays: [{ elements: 1n }] }, "neither by its name nor by its field_id");
    await bad(
      { arrays: [{ name: "c", fieldId: ArrayFieldId.FIELD_B, elements: 1n }] },
      "array c has field_id 5, found 6",
    );
    await bad({ arrays: [{ name: "c", elements: -1n }] }, "array c: elements must be non-negative, found -1");
    await bad(
      { arrays: [{ name: "c", elements: 1n }, { fieldId: ArrayFieldId.FIELD_C }] },
      "array c is declared twice",
    );
    await bad(
      { arrays: [{ name: "c", elements: 1n, elementType: ElementType.INT32 }] },
      "element_type is INT32; float64",
    );
    await bad({ partBytes: 1004n }, "part_bytes is 1004; a multiple of 8 from 1024 to 4194304");
    await bad({ partBytes: 1024n, arrays: [{ name: "c", elements: 100_000_000n }] }, "at most 65536 are allowed");
    await refused(
      service.createUpload({ problemHeader: header, arrays: [{ name: "c", elements: 2n ** 40n }] }),
      Code.InvalidArgument,
      /parts, at most 65536/,
    );
    const { uploadId } = await create(model);
    await refused(linkTo(uploadId, "c", 1n), Code.InvalidArgument, "array c: no part begins at element 1");
    await refused(linkTo(uploadId, "b", 0n), Code.InvalidArgument, "array b was not declared");
    await refused(linkTo(uploadId, "c", 0n, { sha256: new Uint8Array(3) }), Code.InvalidArgument, "sha256 has 3 bytes");
    await refused(linkTo(uploadId, "c", 0n, { expirySeconds: -1 }), Code.InvalidArgument, "expiry_seconds is -1");
    await refused(service.getUploadLinks({ uploadId }), Code.InvalidArgument, "parts: 0 found; 1 to 500");
    await linkTo(uploadId, "c", 0n);
    await refused(
      linkTo(uploadId, "c", 0n, { sha256: sha256(new Uint8Array(1)) }),
      Code.InvalidArgument,
      /asked for before with no digest/,
    );
    const { uploadId: chunked } = await solver.startChunkedUpload({ problemHeader: header });
    await solver.sendArrayChunk({ uploadId: chunked, chunk: chunksOf(model, 8, ["c"])[0]! });
    const { arrays } = await service.getUploadState({ uploadId: chunked });
    expect(arrays).toMatchObject([{ name: "c", elements: 2n, receivedElements: 1n, parts: [] }]);
    await refused(linkTo(chunked, "c", 0n), Code.InvalidArgument, "has no parts");
    for (const id of [uploadId, chunked]) await service.abortUpload({ uploadId: id });
    await refused(service.getResultLinks({ jobId: UNKNOWN_ID }), Code.NotFound, "Job not found");
  });

  it("a repeat under an idempotency key returns the first upload and the first job", async () => {
    const model = tinyLp();
    const headers = { "idempotency-key": `transfer ${crypto.randomUUID()}` };
    const start = (more: object = {}) =>
      service.createUpload({ problemHeader: header, arrays: [{ name: "c", elements: 2n }], ...more }, { headers });
    const [one, two] = await Promise.all([start(), start()]);
    expect(two!.uploadId).toBe(one!.uploadId);
    await refused(start({ partBytes: 1024n }), Code.AlreadyExists, "was used before for another request");
    await service.abortUpload({ uploadId: one!.uploadId });
    const { uploadId } = await create(model);
    await sendAll(uploadId, model);
    const submit = () => service.submitUpload({ uploadId }, { headers });
    const { jobId } = await submit();
    expect((await submit()).jobId).toBe(jobId);
    await (await connected(deployment)).wait(jobId);
  });

  it("an expired link is refused, and says so without saying what there is", async () => {
    const model = tinyLp();
    const { uploadId } = await create(model);
    const bytes = bytesOf(model, "c");
    const link = await linkTo(uploadId, "c", 0n, { sha256: sha256(bytes), expirySeconds: 1 });
    const refusal = await until(async () => {
      const answer = await put(link, bytes);
      return answer.status === 403 && answer;
    }, "the link has expired");
    expect(refusal.text).toMatch(/expired/i);
    await service.abortUpload({ uploadId });
  });

  it("a result's arrays lie at their places in the parts, and the parts carry their digests", async () => {
    const client = await connected(deployment);
    const jobId = await new LinkTransfers(deployment.transport()).submit(problemOf(tinyLp()));
    await client.wait(jobId);
    const { arrays, parts } = await service.getResultLinks({ jobId });
    const { url, headers } = parts[0]!.link!;
    const answer = await fetch(url, { headers });
    expect(answer.status).toBe(206);
    const data = new Uint8Array(await answer.arrayBuffer());
    expect(sha256(data)).toEqual(Buffer.from(parts[0]!.sha256));
    const { byteOffset, elements, fieldId } = arrays[0]!;
    expect(fieldId).toBe(ResultFieldId.RESULT_PRIMAL_SOLUTION);
    const primal = new Float64Array(data.slice(Number(byteOffset), Number(byteOffset) + 8 * Number(elements)).buffer);
    expect(primal[0]).toBeCloseTo(1.6, 6);
    expect(primal[1]).toBeCloseTo(1.2, 6);
    await refused(service.getResultLinks({ jobId, pageToken: "x" }), Code.InvalidArgument, "page_token");
    await refused(service.getResultLinks({ jobId, pageSize: 501 }), Code.InvalidArgument, "page_size");
  });
});

it("links of the server's own begin as the address that was called, or as --public-url", async () => {
  for (const flags of [[], ["--public-url", "https://sortie.example"]]) {
    const server = new EmbeddedServer(flags);
    onTestFinished(() => server.dispose());
    await server.start();
    const service = createClient(TransferService, createGrpcTransport({ baseUrl: server.url() }));
    const arrays = [{ name: "c", elements: 2n }];
    const { uploadId } = await service.createUpload({ problemHeader: header, arrays });
    const { links } = await service.getUploadLinks({ uploadId, parts: [{ array: "c" }] });
    const { origin, pathname } = new URL(links[0]!.link!.url);
    expect(origin).toBe(flags[1] ?? server.url());
    expect(pathname).toBe(`/transfer/uploads/${uploadId}/parts/c/0000000000000000`);
    expect(server.log).not.toContain("signature");
  }
});
