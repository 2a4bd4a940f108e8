// File formats: MPS in, cuOpt's solution file out and in.
export * from "./mps.ts";
export * from "./sol.ts";
