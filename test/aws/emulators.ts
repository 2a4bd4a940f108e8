// The parts of the AWS emulators that the tests use; neither has types.
import { once } from "node:events";
import { Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { EmulatorStore } from "./s3-emulator.ts";

const load = createRequire(import.meta.url);

const dynalite: (options: {
  readonly createTableMs: number;
  readonly deleteTableMs: number;
  readonly updateTableMs: number;
}) => Server = load("dynalite");

export interface DynamoEmulator {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** dynalite in this process, with its tables in memory. */
export async function startDynamo(): Promise<DynamoEmulator> {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    // dynalite's own `close` also closes its store, and a call still at work then throws outside of any handler. The store
    // is memory: it goes with the server.
    close: () =>
      new Promise((resolve) => {
        Server.prototype.close.call(server, () => resolve());
        server.closeAllConnections();
      }),
  };
}

export const S3rver: new (options: {
  readonly address: string;
  readonly port: number;
  readonly silent: boolean;
  readonly directory: string;
}) => {
  readonly store: EmulatorStore;
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
} = load("s3rver");
