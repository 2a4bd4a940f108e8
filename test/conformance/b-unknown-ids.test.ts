// Group B: calls about ids that nobody was given.
import { Code } from "@connectrpc/connect";
import { JobStatus, ResponseStatus, ResultFieldId } from "@sortie/wire";
import { expect } from "vitest";
import { overEveryTransport, sharedServer } from "./harness.ts";
import { chunkOf, tinyLp } from "./models.ts";
import { refused, UNKNOWN_ID } from "./session.ts";

const server = sharedServer();
const UNKNOWN = { jobId: UNKNOWN_ID };

overEveryTransport((scenario) => {
  scenario("B1", async ({ connect }) => {
    const { rpc } = await connect(server);
    for (const jobId of [UNKNOWN_ID, "", "no id at all", "../../etc"]) {
      const answer = await rpc.checkStatus({ jobId });
      expect(answer).toMatchObject({ jobStatus: JobStatus.NOT_FOUND, resultSizeBytes: 0n, progress: 0 });
    }
  });

  scenario("B2", async ({ connect }) => {
    const { rpc } = await connect(server);
    expect(await rpc.cancelJob(UNKNOWN)).toMatchObject({
      status: ResponseStatus.ERROR_NOT_FOUND,
      jobStatus: JobStatus.NOT_FOUND,
      message: "Job ID not found",
    });
  });

  scenario("B3", async ({ connect }) => {
    const { rpc } = await connect(server);
    const answer = await rpc.deleteResult(UNKNOWN);
    expect(answer.status).toBe(ResponseStatus.ERROR_NOT_FOUND);
    expect(answer.message).toContain("not found");
    expect(answer.message).toContain(UNKNOWN_ID);
  });

  scenario("B4", async ({ connect }) => {
    const { rpc } = await connect(server);
    await refused(rpc.getResult(UNKNOWN), Code.NotFound, "Job not found");
  });

  scenario("B5", async ({ connect }) => {
    const { rpc } = await connect(server);
    const messages: unknown[] = [];
    const read = async () => {
      for await (const message of rpc.streamLogs(UNKNOWN)) messages.push(message);
    };
    await refused(read(), Code.NotFound);
    expect(messages).toEqual([]);
  });

  scenario("B6", async ({ connect }) => {
    const { rpc } = await connect(server);
    expect(await rpc.waitForCompletion(UNKNOWN)).toMatchObject({
      jobStatus: JobStatus.NOT_FOUND,
      message: "Job not found",
      resultSizeBytes: 0n,
    });
  });

  scenario("B7", async ({ connect }) => {
    const { rpc } = await connect(server);
    await refused(rpc.getIncumbents(UNKNOWN), Code.NotFound, "Job not found");
  });

  scenario("B8", async ({ connect }) => {
    const { rpc } = await connect(server);
    const downloadId = UNKNOWN_ID;
    await refused(rpc.startChunkedDownload(UNKNOWN), Code.NotFound);
    const slice = { downloadId, fieldId: ResultFieldId.RESULT_PRIMAL_SOLUTION, elementOffset: 0n, maxElements: 1n };
    await refused(rpc.getResultChunk(slice), Code.NotFound);
    await refused(rpc.finishChunkedDownload({ downloadId }), Code.NotFound);
  });

  scenario("B9", async ({ connect }) => {
    const { rpc } = await connect(server);
    const uploadId = UNKNOWN_ID;
    await refused(rpc.sendArrayChunk({ uploadId, chunk: chunkOf(tinyLp(), "c", 0, 2) }), Code.NotFound);
    await refused(rpc.finishChunkedUpload({ uploadId }), Code.NotFound);
  });

  scenario("B10", async ({ connect }) => {
    const { rpc } = await connect(server);
    await refused(rpc.submitJob({}), Code.InvalidArgument, "No problem data provided");
  });
});
