// Rules of chunks that travel with their digest.
import { createHash } from "node:crypto";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { claimJob } from "@sortie/core";
import { ArrayFieldId, CuOptRemoteService, ResultFieldId, TransferService } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, submit } from "../../../core/src/testing/world.ts";
import { createRoutes } from "../routes.ts";

const digestOf = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
const data = new Uint8Array(Float64Array.of(1, 2, 3).buffer);

function open() {
  const world = openWorld();
  const routes = createRoutes(world, { maxMessageBytes: 1024 * 1024, callerOf: () => anyCaller });
  const transport = createRouterTransport(routes.binary);
  return {
    world,
    solver: createClient(CuOptRemoteService, transport),
    transfers: createClient(TransferService, transport),
  };
}

describe("a chunk that is sent with a digest", () => {
  const send = async (sha256: string, uploadId?: string) => {
    const { solver, transfers } = open();
    const opened = (await solver.startChunkedUpload({ problemHeader: {} })).uploadId;
    const chunk = { fieldId: ArrayFieldId.FIELD_C, elementOffset: 1n, totalElements: 4n, data };
    const headers = { "sortie-chunk-sha256": sha256 };
    const sent = solver.sendArrayChunk({ uploadId: uploadId ?? opened, chunk }, { headers });
    const error = await sent.then(
      () => undefined,
      (fault: unknown) => ConnectError.from(fault),
    );
    return { error, stored: Number((await transfers.getUploadState({ uploadId: opened })).receivedBytes) };
  };

  it("is stored if it has that digest, in whatever letters it is written", async () => {
    expect(await send(digestOf(data))).toEqual({ error: undefined, stored: 24 });
    expect(await send(digestOf(data).toUpperCase())).toEqual({ error: undefined, stored: 24 });
  });

  it("is refused as altered if it has another, by array and element, and nothing is stored", async () => {
    const { error, stored } = await send(digestOf(data.subarray(1)));
    expect(error?.code).toBe(Code.DataLoss);
    expect(error?.rawMessage).toMatch(
      /^array c, chunk at element 1: the 24 bytes that arrived have the SHA-256 [0-9a-f]{64}/,
    );
    expect(stored).toBe(0);
  });

  it("is refused if the header is no digest", async () => {
    const { error, stored } = await send("md5");
    expect(error?.code).toBe(Code.InvalidArgument);
    expect(error?.rawMessage).toContain('sortie-chunk-sha256 is "md5"; 64 hexadecimal digits are needed');
    expect(stored).toBe(0);
  });

  it("is refused as belonging to no upload first, whatever its digest", async () => {
    expect((await send("md5", "u")).error?.code).toBe(Code.NotFound);
  });
});

describe("a chunk of a result", () => {
  it("comes with its digest if that is asked for", async () => {
    const { world, solver } = open();
    const jobId = await submit(world);
    const attempt = await claimJob(world, jobId, "worker");
    await attempt?.complete({ message: "", arrays: [{ name: "12", data: Float64Array.of(1, 2, 3) }] }, {});
    const { downloadId } = await solver.startChunkedDownload({ jobId });
    const fetch = async (headers: Record<string, string>) => {
      let told: string | null = null;
      const fieldId = ResultFieldId.RESULT_MIP_SOLUTION;
      const request = { downloadId, fieldId, elementOffset: 0n, maxElements: 3n };
      const answer = await solver.getResultChunk(request, {
        headers,
        onHeader: (found) => {
          told = found.get("sortie-chunk-sha256");
        },
      });
      return { told, data: answer.data };
    };
    expect(await fetch({ "sortie-want-chunk-sha256": "1" })).toEqual({ told: digestOf(data), data });
    expect((await fetch({})).told).toBeNull();
  });
});
