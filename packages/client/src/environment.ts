// What the environment says of the server and of the client's limits: cuOpt's own variables, read as its client reads them, and
// Sortie's beside them, which are stronger and read strictly.
import { ConfigurationError } from "./errors.ts";
import { type ClientOptions, clampMaxMessageBytes, MAX_MESSAGE_RANGE } from "./limits.ts";
import { checkPair, secureOptions, type TlsFiles, type TlsNames } from "./tls.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ClientSettings extends ClientOptions {
  /** HOST:PORT or a URL; undefined: the environment names no server. */
  readonly address: string | undefined;
  /** Undefined: HOST:PORT speaks no TLS. The files have been read: these are their texts. */
  readonly tls: TlsFiles | undefined;
  readonly token: string | undefined;
}

const GIB = 1024 ** 3;
/** What cuOpt's client takes for a size; any other it ignores. */
const CUOPT_SIZES = [4096, 2 * GIB] as const;

/**
 * Reads `CUOPT_*` and `SORTIE_*`. An empty variable counts as unset, but for CUOPT_REMOTE_HOST and CUOPT_REMOTE_PORT, which
 * name a server as soon as both are there.
 * @throws ConfigurationError that names the variable: a SORTIE_* that cannot be read, half a pair of certificate and key, a
 *   file that cannot be read
 */
export function clientSettingsFrom(env: Environment = process.env): ClientSettings {
  const isDebug = leadingDigits(env["CUOPT_GRPC_DEBUG"]) > 0;
  return {
    ...serverOf(env),
    token: env["SORTIE_TOKEN"] || undefined,
    chunkBytes: strictNumber(env, "SORTIE_CHUNK_BYTES", [8, 2 * GIB]) ?? cuoptSize(env["CUOPT_CHUNK_SIZE"]),
    maxMessageBytes:
      strictNumber(env, "SORTIE_MAX_MESSAGE_BYTES", MAX_MESSAGE_RANGE) ??
      clamped(cuoptSize(env["CUOPT_MAX_MESSAGE_BYTES"])),
    parallelChunks: strictNumber(env, "SORTIE_PARALLEL_CHUNKS", [1, 256]),
    bytesInFlight: strictNumber(env, "SORTIE_BYTES_IN_FLIGHT", [1, Number.MAX_SAFE_INTEGER]),
    onDebug: isDebug ? (line) => process.stderr.write(`sortie: ${line}\n`) : undefined,
  };
}

function serverOf(env: Environment): Pick<ClientSettings, "address" | "tls"> {
  const server = env["SORTIE_SERVER"] || undefined;
  const address = server ?? cuoptAddress(env["CUOPT_REMOTE_HOST"], env["CUOPT_REMOTE_PORT"]);
  const asked = strictBoolean(env, "SORTIE_TLS");
  const scheme = /^(https?):\/\//.exec(server ?? "")?.[1];
  if (scheme !== undefined && asked !== undefined && asked !== (scheme === "https")) {
    throw new ConfigurationError(`SORTIE_TLS is ${asked}, but SORTIE_SERVER is ${server}`);
  }
  const isOn = scheme === undefined ? (asked ?? leadingDigits(env["CUOPT_TLS_ENABLED"]) > 0) : scheme === "https";
  const { files, names } = tlsFilesOf(env);
  if (!isOn) {
    // Only looked at, so that a mistake shows before TLS is needed.
    checkPair(files, names);
    return { address, tls: undefined };
  }
  const { ca, cert, key } = secureOptions(files, names);
  return { address, tls: { rootCert: ca, clientCert: cert, clientKey: key } };
}

/** Both are needed, and may be empty. */
function cuoptAddress(host: string | undefined, port: string | undefined): string | undefined {
  if (host === undefined || port === undefined) return undefined;
  return `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
}

const TLS_VARIABLES: TlsNames = {
  rootCert: "TLS_ROOT_CERT",
  clientCert: "TLS_CLIENT_CERT",
  clientKey: "TLS_CLIENT_KEY",
};

/** The paths, and the variables that say them. */
function tlsFilesOf(env: Environment): { readonly files: TlsFiles; readonly names: TlsNames } {
  const variableOf = (part: keyof TlsFiles): string | undefined =>
    ["SORTIE", "CUOPT"].map((prefix) => `${prefix}_${TLS_VARIABLES[part]}`).find((name) => env[name]);
  /** One that is missing is missed where its partner is. */
  const nameOf = (part: keyof TlsFiles, partner: keyof TlsFiles): string =>
    variableOf(part) ?? `${variableOf(partner)?.startsWith("SORTIE") ? "SORTIE" : "CUOPT"}_${TLS_VARIABLES[part]}`;
  const names: TlsNames = {
    rootCert: nameOf("rootCert", "rootCert"),
    clientCert: nameOf("clientCert", "clientKey"),
    clientKey: nameOf("clientKey", "clientCert"),
  };
  const pathOf = (part: keyof TlsFiles): string | undefined => env[names[part]] || undefined;
  return {
    files: { rootCert: pathOf("rootCert"), clientCert: pathOf("clientCert"), clientKey: pathOf("clientKey") },
    names,
  };
}

/** cuOpt's client reads the digits at the beginning of a text and ignores the rest; none are 0. */
const leadingDigits = (text: string | undefined): number => Number(/^\d+/.exec(text ?? "")?.[0] ?? 0);

function cuoptSize(text: string | undefined): number | undefined {
  const bytes = leadingDigits(text);
  const [least, most] = CUOPT_SIZES;
  return bytes >= least && bytes <= most ? bytes : undefined;
}

const clamped = (bytes: number | undefined): number | undefined =>
  bytes === undefined ? undefined : clampMaxMessageBytes(bytes);

function strictNumber(env: Environment, name: string, [least, most]: readonly [number, number]): number | undefined {
  const text = env[name];
  if (!text) return undefined;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new ConfigurationError(`${name} is "${text}"; a whole number from ${least} to ${most} is allowed`);
}

function strictBoolean(env: Environment, name: string): boolean | undefined {
  const text = env[name];
  if (!text) return undefined;
  if (text === "true" || text === "false") return text === "true";
  throw new ConfigurationError(`${name} is "${text}"; true and false are allowed`);
}
