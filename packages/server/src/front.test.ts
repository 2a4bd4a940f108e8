// TLS: every protocol by ALPN, and which clients are let in.
import { once } from "node:events";
import tls from "node:tls";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { CuOptRemoteService } from "@sortie/wire";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { TlsMaterialError, type TlsOptions } from "./front.ts";
import type { Host } from "./host.ts";
import { type Authority, createAuthority, type Identity } from "./testing/certificates.ts";
import { startSmallHost } from "./testing/small-app.ts";

let authority: Authority;
let stranger: Authority;
let server: Identity;
let good: Identity;
let bad: Identity;
beforeAll(async () => {
  [authority, stranger] = await Promise.all([createAuthority("Ours"), createAuthority("Theirs")]);
  [server, good, bad] = await Promise.all([
    authority.issue("localhost"),
    authority.issue("good client"),
    stranger.issue("bad client"),
  ]);
});

const started: Host[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((host) => host.close(0)));
});
async function start(options: Partial<TlsOptions> = {}) {
  const small = await startSmallHost({ tls: { ...server, ...options } });
  started.push(small.host);
  return small;
}

type NodeOptions = Pick<tls.ConnectionOptions, "ca" | "cert" | "key">;
const TRANSPORTS: Record<string, (baseUrl: string, nodeOptions: NodeOptions) => Transport> = {
  gRPC: (baseUrl, nodeOptions) => createGrpcTransport({ baseUrl, nodeOptions }),
  "gRPC-Web over HTTP/1.1": (baseUrl, nodeOptions) =>
    createGrpcWebTransport({ baseUrl, nodeOptions, httpVersion: "1.1" }),
  "Connect over HTTP/1.1": (baseUrl, nodeOptions) =>
    createConnectTransport({ baseUrl, nodeOptions, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl, nodeOptions) => createConnectTransport({ baseUrl, nodeOptions, httpVersion: "2" }),
  "Connect as JSON": (baseUrl, nodeOptions) =>
    createConnectTransport({ baseUrl, nodeOptions, httpVersion: "1.1", useBinaryFormat: false }),
};

describe.each(Object.keys(TRANSPORTS))("TLS: %s", (name) => {
  const ask = async (url: string, nodeOptions: NodeOptions) => {
    const client = createClient(CuOptRemoteService, TRANSPORTS[name]!(url, nodeOptions));
    return (await client.checkStatus({ jobId: "over TLS" }, { timeoutMs: 20_000 })).message;
  };

  it("is answered to a client that trusts the authority, and not to one that does not", async () => {
    const { url } = await start();
    expect(await ask(url, { ca: authority.root })).toBe("over TLS");
    await expect(ask(url, { ca: stranger.root })).rejects.toThrow();
  });

  it("refuses a client in clear", async () => {
    const { url } = await start();
    await expect(ask(url.replace("https", "http"), {})).rejects.toThrow();
  });

  it("lets in only clients with a good certificate when one is required", async () => {
    const { url } = await start({ root: authority.root, requireClientCert: true });
    expect(await ask(url, { ca: authority.root, ...good })).toBe("over TLS");
    await expect(ask(url, { ca: authority.root })).rejects.toThrow();
    await expect(ask(url, { ca: authority.root, ...bad })).rejects.toThrow();
  });

  it("lets in clients without a certificate when it is optional, and refuses a bad one all the same", async () => {
    const { url, entries } = await start({ root: authority.root });
    expect(await ask(url, { ca: authority.root })).toBe("over TLS");
    expect(await ask(url, { ca: authority.root, ...good })).toBe("over TLS");
    await expect(ask(url, { ca: authority.root, ...bad })).rejects.toThrow();
    expect(entries).toContainEqual({
      message: "connection refused",
      fields: { reason: expect.stringContaining("client certificate"), from: expect.any(String) },
    });
  });
});

describe("TLS", () => {
  it("chooses HTTP/2 where the client offers it, and HTTP/1.1 where it offers that or nothing", async () => {
    const { host } = await start();
    for (const [offered, chosen] of [
      [["h2", "http/1.1"], "h2"],
      [["http/1.1"], "http/1.1"],
      [[], false],
    ] as const) {
      const socket = tls.connect({
        host: "localhost",
        port: host.port,
        ca: authority.root,
        ALPNProtocols: [...offered],
      });
      await once(socket, "secureConnect");
      expect(socket.alpnProtocol).toBe(chosen);
      if (chosen !== "h2") {
        socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 200/);
      }
      socket.destroy();
    }
  });

  it("does not let a handshake that never comes hold up the stop", async () => {
    const { host } = await start();
    const session = tls.connect({ host: "localhost", port: host.port, ca: authority.root, ALPNProtocols: ["h2"] });
    const { connect } = await import("node:net");
    const silent = connect(host.port, "127.0.0.1");
    for (const socket of [session, silent]) socket.on("error", () => {});
    await Promise.all([once(session, "secureConnect"), once(silent, "connect")]);
    await host.close(60_000);
  });

  it("says what is wrong with key material that cannot be used", async () => {
    await expect(start({ cert: "no certificate" })).rejects.toBeInstanceOf(TlsMaterialError);
    await expect(start({ key: good.key })).rejects.toThrow(/the TLS certificate, key or root cannot be used: .+/);
  });
});
