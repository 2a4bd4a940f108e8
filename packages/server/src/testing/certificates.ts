// Certificates for the TLS tests, made on the spot: an authority, and whom it vouches for.
import { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

cryptoProvider.set(webcrypto);

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const HOUR_MS = 3_600_000;
let serial = 1;

export interface Identity {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

export interface IssueOptions {
  readonly subjectOnly?: boolean;
  /** For how long from now; below 0 it has expired. Default: an hour. */
  readonly validMs?: number;
}

export interface Authority {
  /** PEM. */
  readonly root: string;
  /** A certificate for this name, as subject and alternative name; or as subject alone, which clients refuse. */
  issue(name: string, options?: IssueOptions): Promise<Identity>;
}

export async function createAuthority(name: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const validity = (validMs = HOUR_MS) => ({
    serialNumber: (serial++).toString(16).padStart(2, "0"),
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + validMs),
    signingAlgorithm: ALGORITHM,
  });
  const root: X509Certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: `CN=${name}`,
    keys: keys,
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  });
  return {
    root: root.toString("pem"),
    async issue(subject, { subjectOnly = false, validMs } = {}) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const cert = await X509CertificateGenerator.create({
        ...validity(validMs),
        subject: `CN=${subject}`,
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: subjectOnly ? [] : [new SubjectAlternativeNameExtension([{ type: "dns", value: subject }])],
      });
      const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", own.privateKey);
      return { cert: cert.toString("pem"), key: PemConverter.encode(pkcs8, "PRIVATE KEY") };
    },
  };
}
