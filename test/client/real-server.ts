// Sortie's own server inside the test's process, for one file of tests.
import { type EmbeddedOptions, type EmbeddedServer, openEmbedded } from "@sortie/server";
import { afterAll } from "vitest";

/** A server that the tests of one file share; it starts when the first of them asks for it. */
export function realServer(options: EmbeddedOptions = { workers: 2 }): () => Promise<EmbeddedServer> {
  let started: Promise<EmbeddedServer> | undefined;
  afterAll(async () => {
    await (await started)?.[Symbol.asyncDispose]();
  });
  return () => {
    started ??= openEmbedded(options);
    return started;
  };
}
