// What leaves for a webhook, to whom, and what does not; with receivers on loopback and a resolver of our own.
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { webhookSecret } from "@sortie/core";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { createAuthority } from "../../server/src/testing/certificates.ts";
import { createWebhookSender, type SenderOptions } from "./index.ts";

const MASTER = "a master secret of the tests";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function receiver(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const message = (url: string) => ({ url, tenant: "alice", id: "event-1", body: '{"hello":"world"}' });
const sender = (options: Partial<SenderOptions> = {}) =>
  createWebhookSender({ masterSecret: MASTER, allowPrivate: true, ...options });

describe("a webhook's message", () => {
  it("is one that any library of Standard Webhooks verifies", async () => {
    const received = Promise.withResolvers<{ headers: IncomingHttpHeaders; body: string }>();
    const url = await receiver(async (request, response) => {
      received.resolve({ headers: request.headers, body: await text(request) });
      response.writeHead(204).end();
    });
    expect(await sender().send(message(`${url}/hook`))).toBe(204);
    const { headers, body } = await received.promise;
    expect(headers).toMatchObject({ "content-type": "application/json", "webhook-id": "event-1" });
    const verify = (tenant: string) =>
      new Webhook(webhookSecret(MASTER, tenant)).verify(body, headers as Record<string, string>);
    expect(verify("alice")).toEqual({ hello: "world" });
    expect(() => verify("bob")).toThrow();
  });

  it.each([200, 301, 410, 500])("brings back the answer %i and goes nowhere else", async (status) => {
    const seen: string[] = [];
    const url = await receiver((request, response) => {
      seen.push(String(request.url));
      response.writeHead(status, { location: "/elsewhere" }).end("a body that nobody reads");
    });
    expect(await sender().send(message(`${url}/hook`))).toBe(status);
    expect(seen).toEqual(["/hook"]);
  });

  it("does not wait for the end of an endless answer", async () => {
    const url = await receiver((_, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(16_384)));
      };
      response.on("drain", more);
      more();
    });
    expect(await sender().send(message(url))).toBe(200);
  });

  it("fails in words when nobody answers in time, and with the signal's reason when it is called off", async () => {
    const url = await receiver(() => {});
    await expect(sender({ timeoutMs: 50 }).send(message(url))).rejects.toThrow("no answer within 0.05 s");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(sender().send(message(url), { signal })).rejects.toThrow("enough");
  });
});

describe("over TLS", () => {
  it("a receiver is the one whose name its certificate has, whatever address it was found at", async () => {
    const authority = await createAuthority("Test");
    const { cert, key } = await authority.issue("hooks.example");
    const server = createTlsServer({ cert, key }, (_, response) => void response.writeHead(204).end());
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const known = getCACertificates("default");
    const resolve = async () => [{ address: "127.0.0.1", family: 4 }];
    const send = (host: string) => sender({ resolve }).send(message(`https://${host}:${port}/hook`));
    await expect(send("hooks.example")).rejects.toThrow(/certificate/);
    setDefaultCACertificates([...known, authority.root]);
    try {
      expect(await send("hooks.example")).toBe(204);
      await expect(send("other.example")).rejects.toThrow(/altnames/);
    } finally {
      setDefaultCACertificates(known);
    }
  });
});

describe("addresses that are not public", () => {
  const strict = (resolve: SenderOptions["resolve"]) => sender({ allowPrivate: false, resolve });

  it.each([
    ["https://127.0.0.1:8443/", "loopback"],
    ["https://169.254.169.254/latest/meta-data", "link-local"],
    ["https://[::1]/", "loopback"],
    ["https://[::ffff:10.0.0.1]/", "IPv4-mapped"],
    ["https://[fd00:ec2::254]/", "unique local"],
  ])("are refused when they stand in the URL: %s", async (url, why) => {
    const never = async () => {
      throw new Error("nobody may be asked");
    };
    await expect(strict(never).send(message(url))).rejects.toThrow(why);
  });

  it.each([[["10.1.2.3"]], [["8.8.8.8", "192.168.0.1"]], [["100.64.0.1"]], [["fe80::1"]]])(
    "are refused when a name leads to them: %j",
    async (addresses) => {
      const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
      await expect(strict(async () => found).send(message("https://hooks.example/x"))).rejects.toThrow(
        "hooks.example has the address",
      );
    },
  );

  it("are not reached by a name that answers otherwise the second time: what was checked is connected to", async () => {
    let connections = 0;
    const { port } = new URL(
      await receiver((_, response) => {
        connections += 1;
        response.end();
      }),
    );
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return [{ address: asked === 1 ? "127.0.0.1" : "192.0.2.1", family: 4 }];
    };
    expect(await sender({ resolve }).send(message(`http://hooks.example:${port}/`))).toBe(200);
    expect({ asked, connections }).toEqual({ asked: 1, connections: 1 });
  });

  it("nor is clear text spoken to public ones", async () => {
    await expect(strict(async () => []).send(message("http://hooks.example/"))).rejects.toThrow("https://");
  });
});
