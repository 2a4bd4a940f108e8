// `sortie submit FILE`: uploads a model, prints the id of its job and leaves. An upload that was cut off, whatever ended the
// program, goes on with --resume.
import { randomUUID } from "node:crypto";
import { type ProblemMessage, RemoteError, type SortieClient } from "@sortie/client";
import { connect } from "@sortie/client/node";
import type { ModelFormat } from "@sortie/solve";
import type { OptionTable } from "../command.ts";
import { chunkBytesOf, UsageError } from "../connect.ts";
import { EXIT_DONE } from "../exit-codes.ts";
import { bytesText, durationText } from "../format.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, serverSettings } from "../job-client.ts";
import { jsonLine } from "../json.ts";
import { type Live, openLive } from "../live.ts";
import { describeModel, fileLabel, openModel, problemMessage } from "../model-file.ts";
import { parseOptions } from "../options.ts";
import { openBar } from "../progress.ts";
import { runCommand } from "../run-command.ts";
import {
  optionOfWireName,
  PARAMETER_OPTIONS,
  settingOfPair,
  settingsOf,
  settingsOfOptions,
} from "../solver-parameters.ts";
import { keyOf, type UnfinishedUpload, UnfinishedUploads } from "../unfinished-uploads.ts";

const HELP = `usage: sortie submit FILE [OPTION ...]

Uploads a model file, as sortie solve reads it, prints the id of the job and leaves; sortie wait and sortie result take the id.
"-" is standard input.

  --resume             go on with the upload of this model that an earlier run has begun; without one it begins anew
  --set NAME=VALUE     any solver setting by its parameter name or its name on the wire (repeatable; docs/settings.md lists
                       them)
  --PARAMETER VALUE    any solver parameter of cuopt_cli, such as --time-limit 60 or --presolve off
  --gap FRACTION       stop when the relative gap of a MIP is at most this (0.01 is 1 %)
  --relaxation         drop integrality
  --format FORMAT      mps or lp, whatever the file is called; standard input is MPS otherwise
  --webhook URL        the server tells this address what becomes of the job
  --chunk-bytes N      send the model in chunks of at most N bytes (by default large models go in chunks of 16 MiB)
${CLIENT_OPTIONS_HELP}  --json               print one line of JSON: jobId, uploadId, resumed, totalBytes, sentBytes

What a Sortie server has received of an upload it keeps for some minutes after the last chunk. Which uploads are unfinished is
remembered in files below $XDG_STATE_HOME/sortie/uploads (~/.local/state/sortie/uploads).

Exit codes: 0 the job is there; 1 a fault in the file, the options or on the way to the server; 130 interrupted.
`;

const OWN_OPTIONS = {
  ...CLIENT_OPTIONS,
  "chunk-bytes": { type: "string" },
  set: { type: "string", multiple: true },
  gap: { type: "string" },
  relaxation: { type: "boolean" },
  format: { type: "string", values: ["mps", "lp"] },
  webhook: { type: "string" },
  resume: { type: "boolean" },
} as const satisfies OptionTable;

export const OPTIONS = { ...PARAMETER_OPTIONS, ...OWN_OPTIONS } as typeof OWN_OPTIONS;

/** A model up to this size is one message, which cannot be resumed; it takes no longer than a chunk. */
const ONE_MESSAGE_BYTES = 16 * 1024 * 1024;

export function submit(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, (signal) => run(args, signal), "sortie submit --resume goes on with the upload");
}

async function run(args: readonly string[], signal: AbortSignal): Promise<number> {
  const options = await readOptions(args);
  const live = openLive(process.stderr);
  const problem = await readProblem(options, live, signal);
  const { server, chunkBytes } = options;
  await using client = await connect({
    ...server,
    ...(chunkBytes !== undefined && { chunkBytes }),
    unaryUpToBytes: chunkBytes === undefined ? (server.chunkBytes ?? ONE_MESSAGE_BYTES) : 0,
    signal,
  });
  if (options.webhook !== undefined && !client.server?.isSortie) {
    throw new UsageError("--webhook: the server is not Sortie, and would tell this address nothing");
  }
  const { jobId, ...facts } = await upload(client, problem, options, live, signal);
  const there = facts.totalBytes - facts.sentBytes;
  live.print(`uploaded ${bytesText(facts.sentBytes)}${there > 0 ? `; ${bytesText(there)} were there before` : ""}`);
  process.stdout.write(options.json ? jsonLine({ jobId, ...facts }) : `${jobId}\n`);
  return EXIT_DONE;
}

type Options = Awaited<ReturnType<typeof readOptions>>;

/** @throws UsageError before anything is read or sent */
async function readOptions(args: readonly string[]) {
  const { values, positionals } = await parseOptions("submit", args, OPTIONS, optionOfWireName);
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) {
    throw new UsageError(
      `submit takes one file; found ${positionals.join(", ") || "none"} (sortie submit --help tells the options)`,
    );
  }
  const given = [
    ...(values.set ?? []).map(settingOfPair),
    ...settingsOfOptions(values),
    ...(values.gap === undefined
      ? []
      : [{ name: "mip_relative_gap", text: values.gap, where: "--gap", isDeliberate: true }]),
  ];
  return {
    file,
    settings: { lp: await settingsOf("lp", given), mip: await settingsOf("mip", given) },
    format: formatOf(values.format),
    relaxation: values.relaxation ?? false,
    chunkBytes: chunkBytesOf(values["chunk-bytes"]),
    server: serverSettings("submit", values),
    resume: values.resume ?? false,
    webhook: values.webhook,
    json: values.json ?? false,
  };
}

async function readProblem(options: Options, live: Live, signal: AbortSignal): Promise<ProblemMessage> {
  const { file, format, relaxation } = options;
  const model = await openModel(file, signal, format);
  for (const warning of model.warnings) live.print(`sortie: ${fileLabel(file)}: ${warning}`);
  const kind = model.isMip && !relaxation ? "mip" : "lp";
  const { settings, leftOut } = options.settings[kind];
  for (const { where } of leftOut) {
    live.print(`sortie: ${where}: has no meaning for ${kind === "mip" ? "a MIP" : "an LP"}, and is not sent`);
  }
  live.print(`${fileLabel(file)}: ${describeModel(model)}`);
  const changed = Object.fromEntries(settings.changed.map((name) => [name, settings.values[name] as number | boolean]));
  return problemMessage(model.problem, kind, changed);
}

interface Uploaded {
  readonly jobId: string;
  /** Undefined if the model went in one message. */
  readonly uploadId: string | undefined;
  readonly resumed: boolean;
  readonly totalBytes: number;
  /** By this run. */
  readonly sentBytes: number;
}

async function upload(
  client: SortieClient,
  problem: ProblemMessage,
  { server, resume, webhook, file }: Options,
  live: Live,
  signal: AbortSignal,
): Promise<Uploaded> {
  const uploads = new UnfinishedUploads(process.env);
  const key = keyOf(problem, server.address, server.token);
  const unfinished = await uploads.find(key);
  const begun = resume ? unfinished : undefined;
  if (unfinished && !resume) {
    const begunAgo = durationText((Date.now() - Date.parse(unfinished.begunAt)) / 1000);
    live.print(
      `an upload of this model, begun ${begunAgo} ago, is unfinished; this is a new one (--resume goes on with it)`,
    );
  }
  if (resume && !begun) live.print("no upload of this model is unfinished; this is a new one");

  const send = async (idempotencyKey: string, earlier?: UnfinishedUpload): Promise<Uploaded> => {
    let uploadId = earlier?.uploadId;
    let thereBytes = 0;
    let totalBytes = 0;
    const bar = openBar(live, "uploading");
    try {
      const jobId = await client.submit(problem, {
        signal,
        idempotencyKey,
        repeat: true,
        webhook,
        uploadId,
        onUpload: async (id) => {
          uploadId = id;
          if (!client.server?.isSortie) return;
          const about = { model: fileLabel(file), server: server.address, begunAt: new Date().toISOString() };
          await uploads.remember(key, { ...about, ...earlier, uploadId: id, idempotencyKey }).catch((error) => {
            live.print(`sortie: should the upload be cut off, it cannot go on: ${(error as Error).message}`);
          });
        },
        onProgress: (progress) => {
          // The first that is told of a resumed upload is what was there.
          if (totalBytes === 0 && earlier) thereBytes = progress.doneBytes;
          totalBytes = progress.totalBytes;
          bar.update(progress);
        },
      });
      return { jobId, uploadId, resumed: earlier !== undefined, totalBytes, sentBytes: totalBytes - thereBytes };
    } finally {
      bar.done();
    }
  };

  try {
    const sent = begun ? await resumed(send, begun, live) : await send(randomUUID());
    await uploads.forget(key);
    return sent;
  } catch (error) {
    // What the server will not have is not to be gone on with.
    if (error instanceof RemoteError && error.code === "invalid-argument") await uploads.forget(key);
    throw error;
  }
}

/** Goes on with an upload; begins anew if the server does not know it any more. */
async function resumed(
  send: (idempotencyKey: string, earlier?: UnfinishedUpload) => Promise<Uploaded>,
  begun: UnfinishedUpload,
  live: Live,
): Promise<Uploaded> {
  try {
    return await send(begun.idempotencyKey, begun);
  } catch (error) {
    if (!(error instanceof RemoteError) || error.code !== "not-found") throw error;
    live.print("the server does not know the unfinished upload any more; this is a new one");
    return send(randomUUID());
  }
}

function formatOf(text: string | undefined): ModelFormat | undefined {
  if (text === undefined || text === "mps" || text === "lp") return text;
  throw new UsageError(`--format is "${text}"; mps and lp are allowed`);
}
