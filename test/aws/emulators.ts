// The parts of the AWS emulators that the tests use; neither has types.
import type { Server } from "node:http";
import { createRequire } from "node:module";
import type { EmulatorStore } from "./s3-emulator.ts";

const load = createRequire(import.meta.url);

export const dynalite: (options: {
  readonly createTableMs: number;
  readonly deleteTableMs: number;
  readonly updateTableMs?: number;
}) => Server = load("dynalite");

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
