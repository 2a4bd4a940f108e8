// What the commands around jobs share: the options that lead to the server, the connection, the ids.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { RemoteError, type SortieClient } from "@sortie/client";
import { type ClientSettings, connect } from "@sortie/client/node";
import type { OptionTable } from "./command.ts";
import { settingsFor, UsageError } from "./connect.ts";
import { jobJson, jobLines, stateWord } from "./job-text.ts";

/** Options that lead to a server. */
export const SERVER_OPTIONS = {
  server: { type: "string" },
  tls: { type: "boolean" },
  "tls-root-cert": { type: "string" },
  "tls-client-cert": { type: "string" },
  "tls-client-key": { type: "string" },
  token: { type: "string" },
} as const satisfies OptionTable;

/** Options of every command that works with jobs of a server. */
export const CLIENT_OPTIONS = { ...SERVER_OPTIONS, json: { type: "boolean" } } as const satisfies OptionTable;

/** Their lines in the help, but for --json, which each command explains. */
export const CLIENT_OPTIONS_HELP = `  --server ADDRESS     HOST:PORT (gRPC) or a URL (Connect over HTTP/1.1); default: SORTIE_SERVER, else CUOPT_REMOTE_HOST and
                       CUOPT_REMOTE_PORT
  --tls                HOST:PORT speaks TLS
  --tls-root-cert FILE who signed the server's certificate, PEM; default: the ones Node trusts
  --tls-client-cert FILE, --tls-client-key FILE
                       a certificate of one's own, PEM
  --token TOKEN        access token of the server (better in the variable SORTIE_TOKEN, where nobody else sees it)
`;

export type ClientOptionValues = {
  readonly [Name in keyof typeof CLIENT_OPTIONS]?:
    | ((typeof CLIENT_OPTIONS)[Name]["type"] extends "boolean" ? boolean : string)
    | undefined;
};

/** The files of `tls` have been read: these are their texts. */
export type ServerSettings = ClientSettings & { readonly address: string };

/**
 * Where the server is, by options and environment.
 * @param command for the message
 * @throws UsageError if neither names one, or a file cannot be read
 */
export function serverSettings(command: string, values: ClientOptionValues): ServerSettings {
  const {
    address: known,
    tls: knownTls,
    ...rest
  } = settingsFor({
    server: values.server,
    tls: values.tls ?? false,
    token: values.token,
  });
  const address = values.server ?? known;
  if (address === undefined) {
    throw new UsageError(
      `${command} needs a server: --server HOST:PORT or URL, or the variable SORTIE_SERVER (sortie ${command} --help tells more)`,
    );
  }
  const files = {
    rootCert: pemOf("tls-root-cert", values["tls-root-cert"]) ?? knownTls?.rootCert,
    clientCert: pemOf("tls-client-cert", values["tls-client-cert"]) ?? knownTls?.clientCert,
    clientKey: pemOf("tls-client-key", values["tls-client-key"]) ?? knownTls?.clientKey,
  };
  if ((files.clientCert === undefined) !== (files.clientKey === undefined)) {
    throw new UsageError("--tls-client-cert and --tls-client-key go together; one of them is missing");
  }
  // Who names a certificate means TLS. A URL on the command line says by itself whether it has TLS.
  const named = TLS_FILES.some((option) => values[option] !== undefined);
  const scheme = /^(https?):\/\//.exec(values.server ?? "")?.[1];
  const isOn = values.tls || named || (scheme === undefined ? knownTls !== undefined : scheme === "https");
  return { ...rest, address, tls: isOn ? files : undefined, token: values.token ?? rest.token };
}

const TLS_FILES = ["tls-root-cert", "tls-client-cert", "tls-client-key"] as const;

function pemOf(option: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--${option}: ${file} cannot be read: ${(error as Error).message}`);
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new UsageError(`--${option}: ${file} is no PEM file (it has no line that begins "-----BEGIN ")`);
}

/** A client that is connected; it wants to be closed. */
export async function openClient(
  command: string,
  values: ClientOptionValues,
  signal: AbortSignal,
): Promise<SortieClient> {
  return await connect({ ...serverSettings(command, values), signal });
}

/**
 * Ids of jobs; a "-" among them stands for those on standard input, one a line.
 * @throws UsageError if there is none
 */
export async function idsOf(command: string, positionals: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const given of positionals) {
    if (given === "-") ids.push(...(await text(process.stdin)).split(/\s+/).filter((id) => id !== ""));
    else ids.push(given);
  }
  if (ids.length === 0) throw new UsageError(`${command} needs the id of a job (sortie ${command} --help tells more)`);
  return ids;
}

/** @throws UsageError unless it is one id */
export function oneId(command: string, positionals: readonly string[]): string {
  const [id, ...more] = positionals;
  if (id !== undefined && more.length === 0) return id;
  throw new UsageError(
    `${command} takes the id of one job; found ${positionals.join(", ") || "none"} (sortie ${command} --help tells more)`,
  );
}

/**
 * @param least what is allowed begins here
 * @throws UsageError naming the option
 */
export function wholeNumberOf(option: string, given: string | undefined, least = 0): number | undefined {
  if (given === undefined) return undefined;
  const number = Number(given);
  if (/^\d+$/.test(given) && Number.isSafeInteger(number) && number >= least) return number;
  throw new UsageError(`--${option} is "${given}"; a whole number of at least ${least} is allowed`);
}

/** @throws UsageError naming the option */
export function secondsOf(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const seconds = Number(given);
  if (given.trim() !== "" && seconds > 0) return seconds;
  throw new UsageError(`--${option} is "${given}"; a number of seconds above 0 is allowed`);
}

/** What is known of a job, in all the ways in which it is told. */
export interface JobFacts {
  readonly id: string;
  /** "not-found": the server does not know it. */
  readonly state: string;
  readonly json: Readonly<Record<string, unknown>>;
  /** Without id and state. */
  readonly lines: readonly string[];
}

/** A Sortie server tells every detail, another one where the job stands. */
export async function jobFacts(client: SortieClient, id: string, signal: AbortSignal): Promise<JobFacts> {
  if (!client.server?.isSortie) {
    const { state, message, progress, resultSizeBytes } = await client.status(id, { signal });
    return {
      id,
      state,
      json: { id, state, message, progress, resultSizeBytes },
      lines: message === "" ? [] : [message],
    };
  }
  try {
    const job = await client.job(id, { signal });
    return { id, state: stateWord(job), json: jobJson(job), lines: jobLines(job, Date.now()) };
  } catch (error) {
    if (!(error instanceof RemoteError) || error.code !== "not-found") throw error;
    return { id, state: "not-found", json: { id, state: "not-found" }, lines: ["the server knows no job of this id"] };
  }
}
