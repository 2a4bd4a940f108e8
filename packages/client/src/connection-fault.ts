// Why a connection did not come about, in words of the matter: what Node and OpenSSL say tells of their own insides.

/** By the codes of Node's errors. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name cannot be looked up now",
  ETIMEDOUT: "it does not answer",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to its network",
  ECONNRESET: "it closed the connection; does it speak TLS only, or want a certificate?",
  EPIPE: "it closed the connection; does it speak TLS only, or gRPC only?",
  ERR_HTTP2_ERROR: "what answers there speaks no HTTP/2, and so no gRPC",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS",
  EPROTO: "it does not speak TLS, or not as it should",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is signed by nobody who is trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is signed by nobody who is trusted here",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by nobody who is trusted here",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself, and not trusted here",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
};

/** Codes whose own text tells nothing more, or tells what is of no use. */
const SAYS_ALL = /^(EPROTO$|ERR_HTTP2|ERR_SSL|UNABLE_|SELF_|DEPTH_|CERT_)/;
/** Longer chains of causes are not looked through. */
const DEPTH = 5;

/**
 * @param text what the error says of itself; returned where nothing better is known
 * @returns such as "nothing listens there (connect ECONNREFUSED 127.0.0.1:5001)"
 */
export function connectionFault(error: unknown, text: string): string {
  if (/^unsupported content type/.test(text)) return "what answers there is no such server";
  let cause = error;
  for (let depth = 0; depth < DEPTH && cause instanceof Error; depth++) {
    const { code } = cause as { readonly code?: unknown };
    const words = typeof code === "string" ? WORDS[code] : undefined;
    if (words !== undefined) return SAYS_ALL.test(String(code)) ? words : `${words} (${text})`;
    cause = cause.cause;
  }
  return text;
}
