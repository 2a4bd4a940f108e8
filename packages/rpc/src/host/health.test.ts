// Rules of health over a router, where watches may have to end by themselves.
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { Health as HealthService, HealthCheckResponse_ServingStatus as ServingStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { createHealth } from "./health.ts";

function setUp(watchMs?: number) {
  const health = createHealth(() => ["a.Service"], watchMs);
  return {
    health,
    client: createClient(
      HealthService,
      createRouterTransport((router) => health.routes(router)),
    ),
  };
}

describe("a watch of health", () => {
  it("tells each change, and ends by itself where watches are limited", async () => {
    const { health, client } = setUp(50);
    const seen: ServingStatus[] = [];
    for await (const { status } of client.watch({ service: "a.Service" })) {
      seen.push(status);
      if (seen.length === 1) health.set(false);
    }
    expect(seen).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
  });

  it("goes on until its client leaves where they are not", async () => {
    const { health, client } = setUp();
    const leaving = new AbortController();
    const seen: ServingStatus[] = [];
    const watching = (async () => {
      for await (const { status } of client.watch({}, { signal: leaving.signal })) {
        seen.push(status);
        if (seen.length === 1) health.set(false);
        else leaving.abort();
      }
    })();
    await expect(watching).rejects.toThrow(/canceled|aborted/i);
    expect(seen).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
  });
});
