// What the host asks of a request before it lets it in, and what it knows of the client by itself.
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { type Caller, DomainError } from "@sortie/core";
import { CuOptRemoteService, Health } from "@sortie/wire";
import { afterEach, describe, expect, it } from "vitest";
import { isFromHere, peerOf, refusalOf } from "./caller.ts";
import type { Host } from "./host.ts";
import type { FinishedCall } from "./metrics.ts";
import type { NodeRequest } from "./rpc-handler.ts";
import { createAuthority } from "./testing/certificates.ts";
import { startSmallHost } from "./testing/small-app.ts";

const started: Host[] = [];
const start = async (...args: Parameters<typeof startSmallHost>) => {
  const small = await startSmallHost(...args);
  started.push(small.host);
  return small;
};
afterEach(async () => {
  await Promise.all(started.splice(0).map((host) => host.close(0)));
});

const refuse = async (): Promise<never> => {
  throw new DomainError("unauthenticated", "who are you?");
};
const transportsOf = (baseUrl: string, nodeOptions = {}): Transport[] => [
  createGrpcTransport({ baseUrl, nodeOptions }),
  createConnectTransport({ baseUrl, nodeOptions, httpVersion: "1.1" }),
];

describe("a call", () => {
  it("is refused before its body is read, and the connection goes on", async () => {
    const finished: FinishedCall[] = [];
    const { url } = await start({ identify: refuse, onCallFinished: (call) => finished.push(call) });
    for (const transport of transportsOf(url)) {
      const { sendArrayChunk } = createClient(CuOptRemoteService, transport);
      const chunk = { data: new Uint8Array(2 * 1024 * 1024) };
      for (let round = 0; round < 2; round++) {
        await expect(sendArrayChunk({ uploadId: "u", chunk })).rejects.toMatchObject({
          code: Code.Unauthenticated,
          rawMessage: "who are you?",
        });
      }
      expect((await createClient(Health, transport).check({})).status).toBe(1);
    }
    expect(finished.filter(({ method }) => method.endsWith("SendArrayChunk")).map((call) => call.requestBytes)).toEqual(
      [0, 0, 0, 0],
    );
  });

  it("that goes on ends once its caller is refused, and outlives a look-up that fails", async () => {
    let identify: () => Promise<Caller> = async () => ({ tenant: "alice" });
    let asked = 0;
    const { url, app } = await start({
      identityCheckMs: 5,
      identify: () => {
        asked++;
        return identify();
      },
    });
    const calls = transportsOf(url).flatMap((transport) => {
      const { waitForCompletion, streamLogs } = createClient(CuOptRemoteService, transport);
      const follow = async () => {
        for await (const _ of streamLogs({}));
      };
      return [waitForCompletion({}), follow()];
    });
    const ends = Promise.allSettled(calls);
    await expect.poll(app.waiting).toBe(4);
    identify = async () => {
      throw new Error("the table is busy");
    };
    const before = asked;
    await expect.poll(() => asked).toBeGreaterThan(before + 8);
    expect(app.waiting()).toBe(4);
    identify = refuse;
    for (const end of await ends) {
      expect(end).toMatchObject({ status: "rejected", reason: { code: Code.Unauthenticated } });
    }
  });

  it("that cannot be looked up is an internal fault, without its details", async () => {
    const { url, entries } = await start({
      identify: async () => {
        throw new Error("the password is hunter2");
      },
    });
    for (const transport of transportsOf(url)) {
      await expect(createClient(CuOptRemoteService, transport).checkStatus({})).rejects.toMatchObject({
        code: Code.Internal,
        rawMessage: expect.stringMatching(/^internal error \(id /),
      });
    }
    expect(entries.filter(({ message }) => message === "internal error")).toHaveLength(2);
  });
});

describe("a client certificate", () => {
  it("names its owner over HTTP/2 and HTTP/1.1 once it is verified, and nobody without one", async () => {
    const authority = await createAuthority("an authority");
    const [server, alice] = [await authority.issue("localhost"), await authority.issue("alice")];
    const seen: (string | undefined)[] = [];
    const { url } = await start({
      tls: { ...server, root: authority.root },
      identify: async (request) => {
        seen.push(peerOf(request).verifiedName);
        return { tenant: "any" };
      },
    });
    for (const own of [alice, {}]) {
      for (const transport of transportsOf(url, { ca: authority.root, ...own })) {
        await createClient(CuOptRemoteService, transport).checkStatus({ jobId: "hello" });
      }
    }
    expect(seen).toEqual(["alice", "alice", undefined, undefined]);
  });
});

describe("/metrics", () => {
  const from = (remoteAddress: string) => ({ headers: {}, socket: { remoteAddress } }) as unknown as NodeRequest;

  it.each([
    ["127.0.0.1", true],
    ["::1", true],
    ["::ffff:127.0.0.1", true],
    ["192.0.2.7", false],
    ["::ffff:192.0.2.7", false],
    ["2001:db8::1", false],
  ])("a scrape from %s comes from this machine: %s", (address, here) => {
    expect(isFromHere(from(address))).toBe(here);
  });

  it("is open to this machine, to whoever has an identity, and to all where nobody asks for one", async () => {
    expect(await refusalOf(from("127.0.0.1"), refuse)).toBeUndefined();
    expect(await refusalOf(from("192.0.2.7"), async () => ({ tenant: "alice" }))).toBeUndefined();
    expect(await refusalOf(from("192.0.2.7"), undefined)).toBeUndefined();
    expect(await refusalOf(from("192.0.2.7"), refuse)).toBe("who are you?");
  });
});
