// The public face of @sortie/rpc: the services, ready to be mounted.
export { CODE_OF_REASON, toClientError } from "./errors.ts";
export { createRoutes, type RouteOptions, type Routes } from "./routes.ts";
