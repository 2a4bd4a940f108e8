// The public face of @sortie/client: what runs everywhere. How to reach a server is in ./node and ./web.
export { type JobFilter, type ProblemSource, SortieClient } from "./client.ts";
export type { CallOptions, ServerInfo, TransferProgress } from "./context.ts";
export type { ResultOptions, SolveResult } from "./download.ts";
export {
  ConfigurationError,
  ConnectionError,
  JobEndedError,
  NotConnectedError,
  type RemoteCode,
  RemoteError,
  SortieError,
  TimeoutError,
  TransferFaultError,
} from "./errors.ts";
export type { Incumbent, IncumbentOptions, IncumbentPage, LogLine, LogOptions, PageOptions } from "./feeds.ts";
export {
  InferenceClient,
  type InferenceOutput,
  type InferenceOutputs,
  type InferenceRequest,
  type InputArray,
} from "./inference.ts";
export { InvalidModelError, InvalidSettingError } from "./input-errors.ts";
export type { ClientOptions } from "./limits.ts";
export { type LinkTransferOptions, LinkTransfers, TransferError } from "./link-transfers.ts";
export type { ProblemMessage } from "./message.ts";
export * from "./model.ts";
export {
  type Doubles,
  type Integers,
  kindOf,
  type LinearProblem,
  type LpOptions,
  type MipOptions,
  problemMessage,
  type SparseRows,
  VARIABLE_TYPES,
  type VariableTypeWord,
} from "./problem.ts";
export { ResumeError } from "./resume.ts";
export { type LpSettings, type MipSettings, type SettingField, settingFields, settingValues } from "./settings.ts";
export {
  type LpMethod,
  LpSolution,
  type LpStatus,
  MipSolution,
  type MipStatus,
  type PdlpWarmStart,
  typedSolution,
} from "./solution.ts";
export type { Solved, SolveOptions } from "./solve.ts";
export type { CancelReport, DeleteReport, JobStateWord, StatusReport } from "./status.ts";
export type { SubmitOptions } from "./upload.ts";
export type { WaitOptions } from "./wait.ts";
