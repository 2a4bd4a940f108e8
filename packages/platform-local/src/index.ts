// The public face of @sortie/platform-local: Sortie on one machine.
export * from "./file-blobs.ts";
export * from "./process-identity.ts";
export type { Durability } from "./sqlite-protocol.ts";
export * from "./sqlite-table.ts";
export { systemClock, systemIds } from "./system.ts";
