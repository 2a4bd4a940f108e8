// The public face of @sortie/client.
export {
  type ClientOptions,
  JobEndedError,
  type ProblemMessage,
  type SolveResult,
  SortieClient,
  type TransferProgress,
} from "./client.ts";
export {
  InferenceClient,
  type InferenceOutput,
  type InferenceOutputs,
  type InferenceRequest,
  type InputArray,
} from "./inference.ts";
export { type LinkTransferOptions, LinkTransfers, TransferError } from "./link-transfers.ts";
