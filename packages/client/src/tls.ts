// Key material of a client: PEM texts, or the files that hold them.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { checkServerIdentity, createSecureContext, type PeerCertificate } from "node:tls";
import { ConfigurationError } from "./errors.ts";

/** Each a PEM text, or the path of a file that holds one. */
export interface TlsFiles {
  /** Whom to trust. Default: the platform's roots. */
  readonly rootCert?: string | undefined;
  /** Shown to servers that want one; needs `clientKey`. */
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
}

/** How errors call the three settings. */
export type TlsNames = Readonly<Record<keyof TlsFiles, string>>;

/** The texts, in the words of Node. */
export interface SecureOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly checkServerIdentity: typeof checkServerIdentity;
}

const OPTION_NAMES: TlsNames = {
  rootCert: "tls.rootCert",
  clientCert: "tls.clientCert",
  clientKey: "tls.clientKey",
};

/** @throws ConfigurationError that names the setting, and the file if it is one */
export function secureOptions(files: TlsFiles, names: TlsNames = OPTION_NAMES): SecureOptions {
  checkPair(files, names);
  const ca = pemOf(files.rootCert, names.rootCert);
  const cert = pemOf(files.clientCert, names.clientCert);
  const key = pemOf(files.clientKey, names.clientKey);
  const both = `${names.clientCert} and ${names.clientKey}`;
  // Node itself would take a broken root for none.
  if (ca !== undefined) usable(names.rootCert, files.rootCert, () => new X509Certificate(ca));
  if (cert !== undefined && key !== undefined) {
    usable(both, files.clientCert, () => createSecureContext({ cert, key }));
  }
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), checkServerIdentity: checkIdentity };
}

/** @throws ConfigurationError if one of certificate and key is there without the other */
export function checkPair({ clientCert, clientKey }: TlsFiles, names: TlsNames): void {
  if ((clientCert === undefined) === (clientKey === undefined)) return;
  const [given, missing] =
    clientKey === undefined ? [names.clientCert, names.clientKey] : [names.clientKey, names.clientCert];
  throw new ConfigurationError(`${given} is set without ${missing}; a client certificate needs both`);
}

/** As gRPC's other clients do: a common name alone, which Node would take, is no identity. */
function checkIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  if (!certificate.subjectaltname) {
    return new Error(`the server's certificate has no subject alternative name; one for ${host} is needed`);
  }
  return checkServerIdentity(host, certificate);
}

const BEGIN = "-----BEGIN ";
const isPem = (text: string): boolean => text.includes(BEGIN);

function pemOf(value: string | undefined, name: string): string | undefined {
  if (value === undefined || isPem(value)) return value;
  let text: string;
  try {
    text = readFileSync(value, "utf8");
  } catch (error) {
    const reason = (error as Error).message;
    throw new ConfigurationError(`${name} is ${value}, which cannot be read: ${reason}`, { cause: error });
  }
  if (isPem(text)) return text;
  throw new ConfigurationError(`${name} is ${value}, which is no PEM file: a line that begins "${BEGIN}" is needed`);
}

function usable(name: string, value: string | undefined, load: () => unknown): void {
  try {
    load();
  } catch (error) {
    const file = value === undefined || isPem(value) ? "" : ` (${value})`;
    const reason = (error as Error).message;
    throw new ConfigurationError(`${name}${file} cannot be used: ${reason}`, { cause: error });
  }
}
