// File formats: MPS and CPLEX's LP format in and out, cuOpt's solution file out and in.
export * from "./format-error.ts";
export { parseLp, readLp } from "./lp.ts";
export { lpText } from "./lp-write.ts";
export * from "./model-file.ts";
export type { ModelResult } from "./model-result.ts";
export { type MpsOptions, type MpsResult, parseMps, readMps } from "./mps.ts";
export { type MpsWriteOptions, mpsText } from "./mps-write.ts";
export * from "./sol.ts";
export type { ModelText } from "./written.ts";
