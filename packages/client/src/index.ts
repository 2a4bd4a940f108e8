// The public face of @sortie/client.
export { SortieClient } from "./client.ts";
export type { CallOptions, TransferProgress } from "./context.ts";
export type { SolveResult } from "./download.ts";
export { JobEndedError } from "./errors.ts";
export {
  InferenceClient,
  type InferenceOutput,
  type InferenceOutputs,
  type InferenceRequest,
  type InputArray,
} from "./inference.ts";
export type { ClientOptions } from "./limits.ts";
export { type LinkTransferOptions, LinkTransfers, TransferError } from "./link-transfers.ts";
export type { ProblemMessage } from "./message.ts";
export type { SubmitOptions } from "./upload.ts";
