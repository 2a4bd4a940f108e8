// The public face of the wire: generated messages, and codecs that move packed fields to typed arrays without copying.

export { MessageBuilder } from "./builder.ts";
export * as cuvis from "./cuvis.ts";
export { dtypeOfElementType, elementTypeOfDType } from "./element-types.ts";
export { UnsupportedGenerationError, WireFormatError } from "./errors.ts";
export { type EncodedMessage, FieldScanner, forEachField, type RawField } from "./fields.ts";
export * from "./gen/cuopt/remote/common_pb.js";
export * from "./gen/cuopt/remote/problem_pb.js";
export * from "./gen/cuopt/remote/routing_pb.js";
export * from "./gen/cuopt/remote/service_pb.js";
export * from "./gen/cuopt/remote/settings_pb.js";
export * from "./gen/cuopt/remote/solution_pb.js";
export * from "./gen/grpc/health/v1/health_pb.js";
// The two versions declare the same names.
export * as reflectionV1 from "./gen/grpc/reflection/v1/reflection_pb.js";
export * as reflectionV1alpha from "./gen/grpc/reflection/v1alpha/reflection_pb.js";
export * from "./gen/sortie/v1/inference_service_pb.js";
export * from "./gen/sortie/v1/job_service_pb.js";
export * from "./gen/sortie/v1/transfer_service_pb.js";
export {
  type ClassifiedSettings,
  classifySettings,
  type GenerationSigns,
  type SettingsKind,
  settingFields,
} from "./generation.ts";
export { joinNames, splitNames } from "./names.ts";
export {
  asBytes,
  doublesFromBytes,
  int32sFromVarints,
  type NumberArray,
  varintsFromInt32s,
} from "./packed.ts";
export {
  type RawMessage,
  type RawService,
  type RawSides,
  rawFields,
  rawMessage,
  withRawMessages,
} from "./raw-service.ts";
export { encodeSettings, SETTINGS_DEFAULTS, type SettingValues } from "./settings-defaults.ts";
export {
  chunkedResultHeader,
  type DecodedIncumbents,
  type DecodedResult,
  type DecodedSolution,
  decodeIncumbentResponse,
  decodeResultResponse,
  type EncodedSolution,
  encodeChunkedResultHeader,
  encodeFailureResponse,
  encodeIncumbentResponse,
  encodeResultResponse,
  type IncumbentEntry,
  resultSizeBytes,
} from "./solution.ts";
export { LP_STATUS_WORDS, MIP_STATUS_WORDS } from "./status-words.ts";
export {
  decodeStartChunkedUploadRequest,
  decodeSubmitJobRequest,
  encodeSubmitJobRequest,
  type ProblemScalars,
  type ProblemToSend,
  type Submission,
  type SubmissionToSend,
  type UploadHeader,
  type WireProblem,
} from "./submission.ts";
