// The public face of @sortie/rpc: the services, ready to be mounted.
export { type NewModel, submitModel } from "./cuopt/submit-model.ts";
export type { CuvisContext, SharedMemory } from "./cuvis/context.ts";
export { CuvisError, invalid, notFound, toCuvisError } from "./cuvis/errors.ts";
export { createInference, type Infer } from "./cuvis/inference.ts";
export type { CuvisOptions } from "./cuvis/service.ts";
export { CODE_OF_REASON, toClientError } from "./errors.ts";
export { CALLER, callerFromHost } from "./host/caller.ts";
export { type FaultLog, internalError } from "./host/error-guard.ts";
export { createHealth, type Health } from "./host/health.ts";
export {
  type HostRoutes,
  type Mount,
  type MountOptions,
  mountRoutes,
  type Protocol,
  protocolOf,
  type RequestHead,
  unknownMethodHeaders,
} from "./host/mount.ts";
export { VERSION, VERSION_HEADER } from "./host/version.ts";
export { createRoutes, type RouteOptions, type Routes } from "./routes.ts";
