// Rules of inferences as jobs: faults say their call, every call has its deadline, and one that fails ends the others.
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { ElementType, InferenceService } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { RemoteError, TransferFaultError } from "./errors.ts";
import { InferenceClient, type InputArray } from "./inference.ts";
import type { ClientOptions } from "./limits.ts";
import { never, scripted } from "./testing/scripted.ts";

function inference(answers: Partial<ServiceImpl<typeof InferenceService>>, options: ClientOptions = {}) {
  const { transport, calls } = scripted(
    {},
    {
      routes: (router) => router.service(InferenceService, { startInputUpload: () => ({ uploadId: "u" }), ...answers }),
    },
  );
  return { client: new InferenceClient(transport, options), calls };
}

const request = (bytes: number) => {
  const cube: InputArray = { name: "cube", dtype: "uint8", shape: [bytes], bytes: new Uint8Array(bytes) };
  return { sessionId: "s", inputs: [cube] };
};

describe("a call", () => {
  it("that the server refuses says which call it was, and why", async () => {
    const { client } = inference({
      submitInference: () => {
        throw new ConnectError("input cube is missing", Code.InvalidArgument);
      },
    });
    const fault = await client.submit({ sessionId: "s", inputs: [] }).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(RemoteError);
    expect(fault).toMatchObject({ code: "invalid-argument", method: "SubmitInference", text: "input cube is missing" });
  });

  it("has a deadline", async () => {
    const { client } = inference({ startOutputDownload: never }, { callTimeoutMs: 20 });
    await expect(client.outputs("j")).rejects.toMatchObject({
      code: "deadline-exceeded",
      method: "StartOutputDownload",
    });
  });

  it("ends with the caller's signal and its reason", async () => {
    const { client } = inference({ submitInference: never });
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(client.submit({ sessionId: "s", inputs: [] }, { signal })).rejects.toBe(reason);
  });
});

it("a chunk that fails ends those under way, and nothing is submitted", async () => {
  const { client, calls } = inference(
    {
      sendInputChunk: ({ byteOffset }) => {
        if (byteOffset !== 8n) return never();
        throw new ConnectError("the disk is full", Code.ResourceExhausted);
      },
    },
    { chunkBytes: 8, parallelChunks: 2 },
  );
  await expect(client.submit(request(64))).rejects.toMatchObject({
    method: "SendInputChunk",
    text: "the disk is full",
  });
  expect(calls).toEqual(["StartInputUpload", "SendInputChunk", "SendInputChunk"]);
});

it("a slice that is larger than was asked for is a fault of the server", async () => {
  const { client } = inference({
    startOutputDownload: () => ({
      downloadId: "d",
      result: { arrays: [{ name: "rx.scores", elementType: ElementType.UINT8, shape: [4n], bytes: 4n }] },
    }),
    getOutputChunk: () => ({ data: new Uint8Array(5) }),
  });
  const fault = await client.outputs("j").catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(TransferFaultError);
  expect(fault).toMatchObject({ message: "the server sent 5 bytes of output rx.scores, asked for 4" });
});
