// A compiled model with its identity; apart from the engine, so that compiling does not need ONNX Runtime.
import { createHash } from "node:crypto";

/** Equal bytes are one session. */
export interface CompiledModel {
  readonly key: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export const compiledModel = (bytes: Uint8Array<ArrayBuffer>): CompiledModel => ({
  key: createHash("sha256").update(bytes).digest("hex"),
  bytes,
});
