// The access token that goes with every call.
import type { Interceptor } from "@connectrpc/connect";

/** @param token undefined: none is sent */
export function bearer(token: string | undefined): Interceptor[] {
  if (token === undefined) return [];
  return [
    (next) => (request) => {
      request.header.set("authorization", `Bearer ${token}`);
      return next(request);
    },
  ];
}
