// How Sortie says what it is: a header on every answer. A client may repeat calls of such a server, which are harmless twice.

/** Its value is the version. */
export const VERSION_HEADER = "sortie-version";

/** That of the packages; a test holds them to it. Not read from a file: a bundled function has none. */
export const VERSION = "0.1.0";
