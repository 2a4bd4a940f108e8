// Adapters of the ports for tests: in memory, with time under control.
export * from "./manual-clock.ts";
export * from "./memory-blobs.ts";
export * from "./memory-table.ts";
