// A file of the inbox becomes a job, or an error file in the outbox that says why not.
import { createHash } from "node:crypto";
import {
  type Caller,
  type CallOptions,
  type Context,
  DomainError,
  getJob,
  jobIdFor,
  type NewJob,
  type Reason,
} from "@sortie/core";
import { submitModel } from "@sortie/rpc";
import { defaultSettings, FormatError, readModel, ValidationError } from "@sortie/solve";
import { inboxName, outputsOf } from "./names.ts";
import { readSettingsFile } from "./settings-file.ts";
import type { InboxStore } from "./store.ts";

/** Largest model file that is read, in bytes as it lies there: the model is held in memory while it is submitted. */
export const MAX_MODEL_BYTES = 2 * 1024 ** 3;
const MAX_SETTINGS_BYTES = 1024 * 1024;

export interface InboxFile {
  /** Below the inbox. */
  readonly path: string;
  /** Changes with the file's content: the same path and version make one job, however often they are told. */
  readonly version: string;
  readonly bytes: number;
  /** Asked once the file was read: what changed meanwhile must not become a job. Default: it did not change. */
  readonly isUnchanged?: (() => Promise<boolean>) | undefined;
}

export type Taken =
  | { readonly kind: "job"; readonly jobId: string; readonly created: boolean }
  /** An error file says why. */
  | { readonly kind: "refused"; readonly reason: string }
  /** Nothing was done: the file is no model, or it was changed while it was read. */
  | { readonly kind: "left" };

/** What a later try may mend: the file is not at fault. */
const PASSING: readonly Reason[] = [
  "queue-full",
  "quota-exceeded",
  "too-many-transfers",
  "disk-full",
  "unavailable",
  "stored-object-corrupt",
];

/** A fault of the file itself, in words for whoever put it there. */
const isFaultOfFile = (error: unknown): error is Error =>
  error instanceof FormatError ||
  error instanceof ValidationError ||
  (error instanceof DomainError && !PASSING.includes(error.reason));

/**
 * Takes a file of the inbox.
 * @throws what is not the file's fault (a full queue, a store that cannot be reached): to be tried again
 */
export async function submitFile(
  context: Context,
  store: InboxStore,
  caller: Caller,
  file: InboxFile,
  options: CallOptions & { readonly maxBytes?: number | undefined } = {},
): Promise<Taken> {
  const { kind } = inboxName(file.path);
  if (kind !== "model" && kind !== "foreign") return { kind: "left" };
  const idempotency = idempotencyOf(file);
  const jobId = jobIdFor(context, caller, { idempotency });
  if (await getJob(context, caller, jobId, options)) return { kind: "job", jobId, created: false };
  try {
    if (kind === "foreign")
      throw new ValidationError("this form of model is not read here; .mps, .qps and .lp are, also as .gz and .bz2");
    const limit = options.maxBytes ?? MAX_MODEL_BYTES;
    if (file.bytes > limit) {
      throw new ValidationError(`the file has ${file.bytes} bytes; at most ${limit} are read from an inbox`);
    }
    const model = await readSubmission(store, file.path, options);
    if (!model) return { kind: "left" };
    if (file.isUnchanged && !(await file.isUnchanged())) return { kind: "left" };
    // Told twice at once: whoever was first may have an answer by now.
    if (await getJob(context, caller, jobId, options)) return { kind: "job", jobId, created: false };
    // What lies there from an earlier model of this name is not its answer. Before the job is made, which may be quick.
    await clearOutputs(store, file.path, options);
    const job = await submitModel(context, caller, { ...model, idempotency, inboxFile: file.path });
    return { kind: "job", ...job };
  } catch (error) {
    if (!isFaultOfFile(error)) throw error;
    if (file.isUnchanged && !(await file.isUnchanged())) return { kind: "left" };
    await writeRefusal(store, file.path, error.message, new Date(context.clock.now()), options);
    return { kind: "refused", reason: error.message };
  }
}

function idempotencyOf({ path, version }: InboxFile): NonNullable<NewJob["idempotency"]> {
  const digest = createHash("sha256")
    .update(JSON.stringify([path, version]))
    .digest("hex");
  // The version stands for the content.
  return { key: `inbox ${digest}`, bodyDigest: digest };
}

async function readSubmission(store: InboxStore, path: string, options: CallOptions) {
  const source = await store.readInbox(path, options);
  if (!source) return undefined;
  const { problem, isMip, warnings } = await readModel(source, path, options);
  const kind = isMip ? "mip" : "lp";
  const settingsPath = `${inboxName(path).stem}.json`;
  const text = await readText(await store.readInbox(settingsPath, options), settingsPath);
  const settings = text === undefined ? defaultSettings(kind) : readSettingsFile(kind, settingsPath, text);
  return { problem, settings, notes: warnings.map((warning) => `${path}: ${warning}`) };
}

async function readText(source: AsyncIterable<Uint8Array> | undefined, path: string): Promise<string | undefined> {
  if (!source) return undefined;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of source) {
    bytes += part.byteLength;
    if (bytes > MAX_SETTINGS_BYTES) {
      throw new ValidationError(`${path} has more than ${MAX_SETTINGS_BYTES} bytes; settings need no more`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

async function clearOutputs(store: InboxStore, path: string, options: CallOptions): Promise<void> {
  for (const output of Object.values(outputsOf(path))) await store.removeOutbox(output, options);
}

/** Says in the outbox why a file did not become a job. */
export async function writeRefusal(
  store: InboxStore,
  path: string,
  error: string,
  time: Date,
  options: CallOptions = {},
): Promise<void> {
  const { summary, solution, log, error: output } = outputsOf(path);
  for (const stale of [summary, solution, log]) await store.removeOutbox(stale, options);
  const content = { file: path, state: "refused", error, time: time.toISOString() };
  await store.writeOutbox(output, [`${JSON.stringify(content, null, 2)}\n`], options);
}
