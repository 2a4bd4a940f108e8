// Model checks: from the arrays of the wire to a problem, and validation from statistics alone.
export * from "./arrays.ts";
export * from "./estimate.ts";
export * from "./from-arrays.ts";
export * from "./stats.ts";
export * from "./to-arrays.ts";
export * from "./validate.ts";
