// Where the examples solve: on the server that SORTIE_SERVER names, or on one of their own that ends with them.
import type { SortieClient } from "@sortie/client";
import { connect, connectFromEnvironment } from "@sortie/client/node";
import { openEmbedded } from "@sortie/server";

/** A connected client; closing it ends the server that came with it, too. */
export async function exampleClient(): Promise<SortieClient> {
  if (process.env["SORTIE_SERVER"]) return connectFromEnvironment();
  const server = await openEmbedded();
  return connect({ address: server.address, dispose: () => server[Symbol.asyncDispose]() });
}
