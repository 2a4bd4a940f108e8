// Group A: connecting, and what a client says of itself.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Code } from "@connectrpc/connect";
import { ConnectionError, NotConnectedError, SortieClient } from "@sortie/client";
import { connect, transportTo } from "@sortie/client/node";
import { JobStatus } from "@sortie/wire";
import { describe, expect, onTestFinished } from "vitest";
import { tinyLp } from "../conformance/models.ts";
import { clientOf, faultOf, PROTOCOLS, scenario } from "./harness.ts";
import { messageOf } from "./messages.ts";
import { fault, PROBE_ID, type ScriptedOptions, scriptedServer } from "./scripted-server.ts";

describe.each(PROTOCOLS)("over %s", (protocol) => {
  scenario("A2", async () => {
    const server = await scriptedServer({}, { protocol });
    const { address } = server;
    await server.crash();
    const error = await faultOf(connect({ address }));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toContain(address);
  });

  scenario("A3", "before connecting", async () => {
    const server = await scriptedServer({}, { protocol });
    const client = new SortieClient(transportTo({ address: server.address }), { address: server.address });
    onTestFinished(() => client.close());
    expect(client.connected).toBe(false);
    expect(client.server).toBeUndefined();
    expect(await faultOf(client.submit(messageOf(tinyLp())))).toBeInstanceOf(NotConnectedError);
    expect(await faultOf(client.status("job-1"))).toBeInstanceOf(NotConnectedError);
    expect(server.connections).toBe(0);
  });

  scenario("A3", "after closing", async () => {
    const server = await scriptedServer({}, { protocol });
    const client = await connect({ address: server.address });
    await client.close();
    expect(client.connected).toBe(false);
    expect(await faultOf(client.status("job-1"))).toBeInstanceOf(NotConnectedError);
    expect(server.methods).toEqual([]);
  });

  scenario("A4", async () => {
    const probe: ScriptedOptions["probe"] = () => {
      throw fault(Code.NotFound, "no such job");
    };
    const server = await scriptedServer({ checkStatus: [{ jobStatus: JobStatus.QUEUED }] }, { protocol, probe });
    const client = await clientOf(server);
    expect(client.connected).toBe(true);
    expect(server.calls.map(({ request }) => request)).toMatchObject([{ jobId: PROBE_ID }]);
    expect(await client.status("job-1")).toMatchObject({ state: "queued" });
  });

  scenario("A5", async () => {
    const probe: ScriptedOptions["probe"] = () => {
      throw fault(Code.Internal, "the disk is on fire");
    };
    const server = await scriptedServer({}, { protocol, probe });
    const client = new SortieClient(transportTo({ address: server.address }), { address: server.address });
    onTestFinished(() => client.close());
    const error = await faultOf(client.connect());
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toContain(server.address);
    expect(error.message).toContain("the disk is on fire");
    expect(client.connected).toBe(false);
    // The probe is not repeated.
    expect(server.calls).toHaveLength(1);
  });
});

scenario("A2", "a server that takes connections and never answers", async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => void sockets.add(socket)).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  await once(silent, "listening");
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const error = await faultOf(connect({ address }));
  expect(error).toBeInstanceOf(ConnectionError);
  expect(error.message).toContain(address);
});

scenario("A4", "the server's header tells whether it is Sortie", async () => {
  const stock = await clientOf(await scriptedServer({}, { maxMessageBytes: 5_000_000 }));
  expect(stock.server).toEqual({ isSortie: false, version: undefined, maxMessageBytes: 5_000_000 });
  const sortie = await clientOf(await scriptedServer({}, { sortieVersion: "0.1.0" }));
  expect(sortie.server).toMatchObject({ isSortie: true, version: "0.1.0" });
});
