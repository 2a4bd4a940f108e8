// Pages of other origins: who may call, and what they may read.
import { afterEach, describe, expect, it } from "vitest";
import type { Host } from "./host.ts";
import { startSmallHost } from "./testing/small-app.ts";

const started: Host[] = [];
const start = async (corsOrigins?: readonly string[]) => {
  const small = await startSmallHost({ corsOrigins });
  started.push(small.host);
  return small.url;
};
afterEach(async () => {
  await Promise.all(started.splice(0).map((host) => host.close(0)));
});

const CHECK_STATUS = "/cuopt.remote.CuOptRemoteService/CheckStatus";
const preflight = (url: string, origin: string) =>
  fetch(`${url}${CHECK_STATUS}`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "connect-protocol-version,content-type,authorization",
    },
  });
const status = (url: string, origin: string) =>
  fetch(`${url}${CHECK_STATUS}`, {
    method: "POST",
    headers: { origin, "content-type": "application/json" },
    body: JSON.stringify({ jobId: "j" }),
  });

describe("a page of an origin that is allowed", () => {
  it("passes the preflight with the headers that it asks for", async () => {
    const answer = await preflight(await start(["https://app.example"]), "https://app.example");
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(answer.headers.get("access-control-allow-methods")).toContain("POST");
    expect(answer.headers.get("access-control-allow-headers")).toContain("authorization");
  });

  it("reads the answer, its gRPC status and what says that this is Sortie", async () => {
    const answer = await status(await start(["https://app.example"]), "https://app.example");
    expect(answer.ok).toBe(true);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(answer.headers.get("access-control-expose-headers")).toMatch(/grpc-status.*sortie-version/i);
  });

  it("may be of any origin where all are allowed", async () => {
    const answer = await status(await start(["*"]), "http://localhost:1234");
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  });
});

describe("a page of another origin", () => {
  it.each([
    ["where some are allowed", ["https://app.example"]],
    ["where none is", undefined],
  ])("is told nothing: %s", async (_, origins) => {
    const url = await start(origins);
    for (const answer of [await preflight(url, "https://evil.example"), await status(url, "https://evil.example")]) {
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});
