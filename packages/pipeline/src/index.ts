// The public face of @sortie/pipeline.
export * from "./config/index.ts";
export * from "./data/index.ts";
export { PipelineError, type PipelineErrorPlace, type PipelineReason } from "./errors.ts";
export * from "./files/index.ts";
export * from "./formats/index.ts";
export { type NodeFiles, STAGES, type Stage } from "./graph/host.ts";
export {
  bytesPerElement,
  type DType as PipelineDType,
  isTensor,
  type Tensor as PipelineTensor,
  type TypedArray as PipelineTypedArray,
  tensor,
  type Value as PipelineValue,
  view,
} from "./graph/tensor.ts";
export { catalogue } from "./nodes/catalogue.ts";
export { type Artifact, isArtifacts, mapColour, pngOfArtifact } from "./nodes/drawing.ts";
export type { Metric, NodeType, PortSpec, PortType, Role, StateSpec } from "./nodes/node-type.ts";
export { type OnnxNode, onnxNode } from "./nodes/onnx-node.ts";
export type { ParamSpec, ParamSpecs, Params } from "./nodes/params.ts";
export { areaUnderCurve, averagePrecision } from "./nodes/statistics.ts";
export * from "./picture/index.ts";
export type { ExportRequest as PipelineExportRequest } from "./pipeline/export.ts";
export {
  type Batch as PipelineBatch,
  type FitOptions,
  type FitProgress,
  type OpenPort,
  Pipeline,
  type PipelineOptions,
  type RunOptions as PipelineRunOptions,
  type StateDict,
} from "./pipeline/pipeline.ts";
export { checkShape, sizes as portSizes } from "./pipeline/ports.ts";
export {
  addSample,
  freshProfile,
  type NodeProfile,
  type ProfileEntry,
  Profiler,
  type ProfilingSettings,
  profileOf,
} from "./pipeline/profile.ts";
export type { Catalogue, ConnectionConfig, NodeConfig, PipelineConfig } from "./pipeline/wiring.ts";
export { availableProviders, Engine, type EngineSettings, type Provider } from "./runtime/engine.ts";
export * from "./weights/index.ts";
