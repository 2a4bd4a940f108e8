// Inference by another function, for one that has no engine.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { FunctionCaller } from "@sortie/platform-aws";
import { CuvisError, type Infer } from "@sortie/rpc";
import { cuvis } from "@sortie/wire";
import type { InferAnswer, InferEvent } from "./infer-function.ts";

/** @param name of the function that runs inferences */
export function remoteInfer(caller: Pick<FunctionCaller, "call">, name: string): Infer {
  return async (request, { caller: { tenant }, signal }) => {
    const bytes = toBinary(cuvis.InferenceRequestSchema, request);
    const event: InferEvent = { tenant, request: Buffer.from(bytes).toString("base64") };
    const answer = JSON.parse(await caller.call(name, JSON.stringify(event), signal)) as InferAnswer;
    if ("error" in answer) throw new CuvisError(answer.error.code, answer.error.message);
    return fromBinary(cuvis.InferenceResponseSchema, Buffer.from(answer.response, "base64"));
  };
}

/** Where a deployment has no such function. */
export const noInfer: Infer = async () => {
  throw new CuvisError(
    Code.Unimplemented,
    "This deployment has no function that runs inferences (SORTIE_INFER_FUNCTION is not set); submit them as jobs with " +
      "sortie.v1.InferenceService",
  );
};
