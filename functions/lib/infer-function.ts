// Runs Inference for the function behind the URL, which has no engine. Each is asked for by a synchronous invocation, with the
// caller whom that function has identified: only the deployment itself may invoke it.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { CuvisError, type Infer, internalError, toCuvisError } from "@sortie/rpc";
import { cuvis } from "@sortie/wire";
import type { Invocation } from "./lambda.ts";
import type { Log } from "./log.ts";

export interface InferEvent {
  readonly tenant: string;
  /** A cuvis_ai.v1.InferenceRequest, in base64. */
  readonly request: string;
}

export type InferAnswer =
  /** A cuvis_ai.v1.InferenceResponse, in base64. */
  { readonly response: string } | { readonly error: { readonly code: Code; readonly message: string } };

/** The least of what Lambda allows for an answer, with room for its envelope. */
const MAX_ANSWER_BYTES = 4_400_000;
/** An inference ends this long before the function would be ended. */
const MARGIN_MS = 2_000;

export type InferFunction = (event: InferEvent, invocation: Invocation) => Promise<InferAnswer>;

export function createInferFunction(options: { readonly infer: Infer; readonly log: Log }): InferFunction {
  const { infer, log } = options;
  return async ({ tenant, request }, invocation) => {
    const startedAt = performance.now();
    const ending = new AbortController();
    const left = invocation.getRemainingTimeInMillis() - MARGIN_MS;
    const timer = setTimeout(() => ending.abort(OUT_OF_TIME), Math.max(0, left));
    try {
      if (left <= 0) ending.abort(OUT_OF_TIME);
      ending.signal.throwIfAborted();
      if (typeof tenant !== "string" || tenant === "") throw new Error("the event names no tenant");
      const message = fromBinary(cuvis.InferenceRequestSchema, Buffer.from(request, "base64"));
      const answer = await infer(message, { caller: { tenant }, signal: ending.signal, baseUrl: "" });
      const bytes = toBinary(cuvis.InferenceResponseSchema, create(cuvis.InferenceResponseSchema, answer));
      if (bytes.byteLength > MAX_ANSWER_BYTES) throw tooLarge(bytes.byteLength);
      const durationMs = Math.round(performance.now() - startedAt);
      log.info({ sessionId: message.sessionId, durationMs, responseBytes: bytes.byteLength }, "inference");
      return { response: Buffer.from(bytes).toString("base64") };
    } catch (error) {
      const fault = ending.signal.aborted ? OUT_OF_TIME : toCuvisError(error, "Inference failed");
      const told = fault instanceof ConnectError ? fault : internalError(log, fault, "Inference");
      return { error: { code: told.code, message: told.rawMessage } };
    } finally {
      clearTimeout(timer);
    }
  };
}

const OUT_OF_TIME = new ConnectError(
  "the inference takes longer than a function may; submit it as a job with sortie.v1.InferenceService",
  Code.DeadlineExceeded,
);

const tooLarge = (bytes: number): CuvisError =>
  new CuvisError(
    Code.ResourceExhausted,
    `The outputs have ${bytes} bytes and an answer at most ${MAX_ANSWER_BYTES} here; ask for fewer outputs, or submit the ` +
      "inference as a job with sortie.v1.InferenceService",
  );
