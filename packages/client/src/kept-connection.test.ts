// Rules of the connection that all calls share: signs of life while it is idle, and what a call learns when it is lost.
import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CuOptRemoteService } from "@sortie/wire";
import { expect, it, onTestFinished, vi } from "vitest";
import { KeptConnection } from "./kept-connection.ts";

interface Peer {
  readonly server: Http2Server;
  readonly port: number;
  readonly sessions: ServerHttp2Session[];
  readonly sockets: Socket[];
  readonly streams: ServerHttp2Stream[];
  /** Requests that wait for an answer. */
  open: number;
  pings: number;
}

/** A server that answers nothing. */
async function silentServer(port = 0): Promise<Peer> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as AddressInfo;
  const peer: Peer = { server, port: own, sessions: [], sockets: [], streams: [], open: 0, pings: 0 };
  server.on("connection", (socket: Socket) => peer.sockets.push(socket));
  server.on("session", (session) => {
    peer.sessions.push(session);
    session.on("ping", () => peer.pings++);
    session.on("error", () => undefined);
  });
  server.on("stream", (stream) => {
    peer.open++;
    peer.streams.push(stream);
    stream.on("error", () => undefined);
    stream.once("close", () => peer.open--);
  });
  onTestFinished(() => stop(peer));
  return peer;
}

function stop({ server, sessions }: Peer): void {
  for (const session of sessions) session.destroy();
  server.close();
}

function clientOn({ port }: Peer) {
  const baseUrl = `http://127.0.0.1:${port}`;
  const connection = new KeptConnection(baseUrl, { pingIntervalMs: 12, pingTimeoutMs: 10_000 });
  onTestFinished(() => connection.close());
  return {
    connection,
    rpc: createClient(CuOptRemoteService, createGrpcTransport({ baseUrl, sessionManager: connection })),
  };
}

const status = ({ rpc }: ReturnType<typeof clientOn>, options = {}) =>
  rpc.checkStatus({ jobId: "j" }, options).then(
    () => "OK",
    (error: Error) => error.message,
  );

it("asks an idle connection for signs of life", async () => {
  const peer = await silentServer();
  const client = clientOn(peer);
  expect(await status(client, { timeoutMs: 1 })).toMatch(/deadline/);
  await vi.waitUntil(() => peer.open === 0);
  const before = peer.pings;
  await vi.waitUntil(() => peer.pings >= before + 3, { timeout: 10_000 });
  expect(peer.sessions).toHaveLength(1);
});

it.each([
  ["the server closes its connections", ({ sessions }: Peer) => sessions[0]?.destroy()],
  ["the network cuts the connection", ({ sockets }: Peer) => sockets[0]?.destroy()],
  [
    "the server ends calls without an answer",
    ({ streams }: Peer) => {
      for (const stream of streams) stream.close();
    },
  ],
])("tells every open call when %s", async (_, end) => {
  const peer = await silentServer();
  const client = clientOn(peer);
  const calls = [status(client), status(client)];
  await vi.waitUntil(() => peer.open === 2);
  end(peer);
  for (const call of calls) expect(await call).toMatch(/\[unavailable\] .*(was lost|without an answer)/);
});

it("forgets a lost connection, and opens another for the next call", async () => {
  const peer = await silentServer();
  const client = clientOn(peer);
  const calls = [status(client), status(client)];
  await vi.waitUntil(() => peer.open === 2);
  stop(peer);
  await Promise.all(calls);
  const again = await silentServer(peer.port);
  await status(client, { timeoutMs: 50 });
  // A ping of the first connection would have failed by then, with an error that nobody catches.
  await vi.waitUntil(() => again.pings >= 3, { timeout: 10_000 });
});

it("is closed for good", async () => {
  const peer = await silentServer();
  const client = clientOn(peer);
  client.connection.close();
  expect(await status(client)).toMatch(/closed/);
  expect(peer.sessions).toEqual([]);
});
