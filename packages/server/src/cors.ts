// Lets pages of other origins call the server from a browser: answers preflights, and says who may read the answers.
import type { IncomingMessage, ServerResponse } from "node:http";
import { cors as connectCors } from "@connectrpc/connect";
import cors from "cors";
import type { NodeRequest, NodeResponse } from "./rpc-handler.ts";

/** Beyond what the protocols need: who answers, the digest of a chunk, and what signed links answer with. */
const EXPOSED = [
  ...connectCors.exposedHeaders,
  "sortie-version",
  "sortie-chunk-sha256",
  "content-range",
  "retry-after",
];
const MAX_AGE_SECONDS = 7200;

/** Answers the request if it is a preflight; false if it is not, and then its answer carries what the browser looks for. */
export type CorsHandler = (request: NodeRequest, response: NodeResponse) => boolean;

/** @param origins such as https://app.example; "*" is every origin */
export function createCorsHandler(origins: readonly string[]): CorsHandler {
  if (origins.length === 0) return () => false;
  const answer = cors({
    origin: origins.includes("*") ? "*" : [...origins],
    methods: [...connectCors.allowedMethods, "PUT"],
    exposedHeaders: EXPOSED,
    maxAge: MAX_AGE_SECONDS,
  });
  return (request, response) => {
    let passedOn = false;
    // It only sets headers and ends preflights, which HTTP/2's compatible classes do alike.
    answer(request as IncomingMessage, response as ServerResponse, () => {
      passedOn = true;
    });
    return !passedOn;
  };
}
