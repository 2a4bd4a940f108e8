// Where the caller that a host has found out waits for the routes.
import { type ContextKey, createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Caller } from "@sortie/core";

/** Settles with the caller, or rejects with why there is none; undefined only for services that anyone may call. */
export const CALLER: ContextKey<Promise<Caller> | undefined> = createContextKey<Promise<Caller> | undefined>(
  undefined,
  { description: "on whose behalf the call is made" },
);

/** The caller that the host has found out. */
export function callerFromHost(request: HandlerContext): Promise<Caller> {
  const caller = request.values.get(CALLER);
  if (caller === undefined) throw new Error("the host has not asked who makes this call");
  return caller;
}
