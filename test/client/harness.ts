// What the client's scenarios share: tests by number, and clients that end with their test.
import type { SortieClient } from "@sortie/client";
import { type ConnectOptions, connect } from "@sortie/client/node";
import { it, onTestFinished } from "vitest";
import { SCENARIOS } from "./scenarios.ts";
import type { ScriptedServer } from "./scripted-server.ts";

export { until } from "../conformance/until.ts";

declare module "vitest" {
  interface TaskMeta {
    /** Number of the scenario that a test proves. */
    scenario?: string;
  }
}

/** Declares a test of a scenario: its name is the scenario's, with what this test looks at if there are several. */
export function scenario(number: string, run: () => Promise<void>): void;
export function scenario(number: string, what: string, run: () => Promise<void>): void;
export function scenario(number: string, ...rest: [() => Promise<void>] | [string, () => Promise<void>]): void {
  const known = SCENARIOS.get(number);
  if (known === undefined || known.notApplicable !== undefined)
    throw new Error(`there is no scenario ${number} to test`);
  const [what, run] = rest.length === 1 ? [undefined, rest[0]] : rest;
  it(`${number} ${known.title}${what === undefined ? "" : `: ${what}`}`, async ({ task }) => {
    task.meta.scenario = number;
    await run();
  });
}

export type Protocol = "grpc" | "connect";
/** What a client may speak to a server in. */
export const PROTOCOLS: readonly Protocol[] = ["grpc", "connect"];

/** A connected client of a server, or of an address; it is closed after the test. */
export async function clientOf(
  server: { readonly address: string },
  options: Omit<ConnectOptions, "address"> = {},
): Promise<SortieClient> {
  const client = await connect({ ...options, address: server.address });
  onTestFinished(() => client.close());
  return client;
}

/** The error that a promise is rejected with. */
export async function faultOf(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error(outcome === undefined ? "there was no error" : `${String(outcome)} is not an Error`);
}

/** A scripted server and a client on it. */
export interface Pair {
  readonly server: ScriptedServer;
  readonly client: SortieClient;
}
