// Rules of the mounted services: every answer says who gives it.
import { readFileSync } from "node:fs";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { CuOptRemoteService } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { mountRoutes, unknownMethodHeaders } from "./mount.ts";
import { VERSION, VERSION_HEADER } from "./version.ts";

const { handlerOf } = mountRoutes({
  routes: {
    binary: (router) => {
      router.service(CuOptRemoteService, {
        checkStatus: () => ({ message: "known" }),
        getResult: () => {
          throw new ConnectError("not ready", Code.Unavailable);
        },
      });
    },
    json: () => {},
  },
  maxMessageBytes: 1024,
  compression: [],
  log: { error: () => {} },
});

async function answerOf(method: string, contentType: string, body: Uint8Array): Promise<UniversalServerResponse> {
  const path = `/${CuOptRemoteService.typeName}/${method}`;
  const handler = handlerOf({ method: "POST", path, query: "", contentType });
  if (!handler) throw new Error(`there is no ${path}`);
  return handler({
    httpVersion: "2.0",
    method: "POST",
    url: `http://localhost${path}`,
    header: new Headers({ "content-type": contentType, te: "trailers" }),
    body: (async function* () {
      yield body;
    })(),
    signal: new AbortController().signal,
  });
}

const EMPTY = new Uint8Array(0);
const EMPTY_FRAME = new Uint8Array(5);

describe("an answer says the version", () => {
  it.each([
    ["gRPC", "application/grpc", EMPTY_FRAME],
    ["gRPC-Web", "application/grpc-web", EMPTY_FRAME],
    ["Connect", "application/proto", EMPTY],
  ])("in %s, whether the call succeeds or fails", async (_, contentType, body) => {
    for (const method of ["CheckStatus", "GetResult", "CancelJob"]) {
      const { header } = await answerOf(method, contentType, body);
      expect(header?.get(VERSION_HEADER), method).toBe(VERSION);
    }
  });

  it("to a request in a protocol that the service does not speak", async () => {
    const { status, header } = await answerOf("CheckStatus", "text/plain", EMPTY);
    expect(status).toBe(415);
    expect(header?.get(VERSION_HEADER)).toBe(VERSION);
  });

  it("to a call of a method that there is not", () => {
    expect(unknownMethodHeaders("/x.Y/Z", "application/grpc")).toMatchObject({ [VERSION_HEADER]: VERSION });
  });

  it("which is that of the packages", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(VERSION).toBe(version);
  });
});
