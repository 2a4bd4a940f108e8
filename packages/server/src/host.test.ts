// The host: every protocol on one port, limits that leave the connection usable, faults that leak nothing, a clean stop.
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { Duplex } from "node:stream";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { CuOptRemoteService, JobService, StatusRequestSchema } from "@sortie/wire";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Host, ListenError } from "./host.ts";
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

type MakeTransport = (baseUrl: string) => Transport;
const TRANSPORTS: Record<string, MakeTransport> = {
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC as JSON": (baseUrl) => createGrpcTransport({ baseUrl, useBinaryFormat: false }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web over HTTP/2": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "Connect as JSON": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
};
const grpc = (url: string) => createClient(CuOptRemoteService, createGrpcTransport({ baseUrl: url }));

/** The gRPC frame of a CheckStatus request. */
function statusFrame(jobId: string): Buffer {
  const message = toBinary(StatusRequestSchema, create(StatusRequestSchema, { jobId }));
  const frame = Buffer.alloc(5 + message.byteLength);
  frame.writeUInt32BE(message.byteLength, 1);
  frame.set(message, 5);
  return frame;
}

const CHECK_STATUS = "/cuopt.remote.CuOptRemoteService/CheckStatus";

/** A CheckStatus call by hand; the answer's body is thrown away unless somebody listens. */
function openCall(session: http2.ClientHttp2Session): http2.ClientHttp2Stream {
  const head = { ":method": "POST", ":path": CHECK_STATUS, "content-type": "application/grpc", te: "trailers" };
  return session.request(head).resume();
}

describe("one port", () => {
  it.each(Object.keys(TRANSPORTS))("answers unary calls and streams in clear: %s", async (name) => {
    const { url } = await start();
    const client = createClient(CuOptRemoteService, TRANSPORTS[name]!(url));
    expect((await client.checkStatus({ jobId: "abc" })).message).toBe("abc");
    const cancel = new AbortController();
    for await (const { line } of client.streamLogs({ jobId: "abc" }, { signal: cancel.signal })) {
      expect(line).toBe("first line");
      break;
    }
    cancel.abort();
  });

  it("answers a plain JSON request, and a GET for a method without side effects", async () => {
    const { url } = await start();
    const posted = await fetch(`${url}${CHECK_STATUS}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"job_id":"plain"}',
    });
    expect(await posted.json()).toMatchObject({ message: "plain" });
    const message = encodeURIComponent('{"id":"got"}');
    const got = await fetch(`${url}/sortie.v1.JobService/GetJob?connect=v1&encoding=json&message=${message}`);
    expect(await got.json()).toMatchObject({ job: { id: "got" } });
  });

  it("sends JSON requests to the JSON routes and everything else to the binary ones", async () => {
    const { app } = await start();
    const answering = (message: string) => (router: Parameters<typeof app.register>[0]) => {
      router.service(CuOptRemoteService, { checkStatus: () => ({ message }) });
      router.service(JobService, { getJob: () => ({ job: { id: message } }) });
    };
    const { url } = await start({ routes: { binary: answering("binary"), json: answering("json") } });
    for (const [name, make] of Object.entries(TRANSPORTS)) {
      const { message } = await createClient(CuOptRemoteService, make(url)).checkStatus({});
      expect([name, message]).toEqual([name, name.includes("JSON") ? "json" : "binary"]);
    }
    for (const useBinaryFormat of [true, false]) {
      const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1", useHttpGet: true, useBinaryFormat });
      const { job } = await createClient(JobService, transport).getJob({});
      expect(job?.id).toBe(useBinaryFormat ? "binary" : "json");
    }
  });

  it("recognises HTTP/2 when the preface comes one byte at a time", async () => {
    const { host } = await start();
    const session = http2.connect(`http://localhost:${host.port}`, {
      createConnection: () => trickling(net.connect(host.port, "127.0.0.1"), 40),
    });
    const call = openCall(session);
    call.end(statusFrame("slow"));
    const [trailers] = await once(call, "trailers");
    expect(trailers["grpc-status"]).toBe("0");
    session.close();
  });

  it.each([1, 2, 3, 4, 5, 17, 23])(
    "recognises HTTP/1.1 and HTTP/2 when the first bytes are cut after %i",
    async (cut) => {
      const { host } = await start();
      const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
      expect((await exchange(host.port, preface, cut)).subarray(3, 4)).toEqual(Buffer.from([4])); // A SETTINGS frame.
      const get = Buffer.from("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "latin1");
      expect((await exchange(host.port, get, cut)).toString("latin1")).toMatch(/^HTTP\/1\.1 200 OK/);
      const put = Buffer.from("PROPFIND / HTTP/1.1\r\nHost: localhost\r\n\r\n", "latin1");
      expect((await exchange(host.port, put, cut)).toString("latin1")).toMatch(/^HTTP\/1\.1 404/);
    },
  );

  it("closes a connection that says nothing", async () => {
    const { host } = await start({ silenceTimeoutMs: 30 });
    const socket = net.connect(host.port, "127.0.0.1");
    await once(socket, "close");
  });

  it("answers a thousand pings on an idle connection and goes on", async () => {
    const { host } = await start();
    const session = http2.connect(`http://localhost:${host.port}`, { maxOutstandingPings: 50 });
    const goaway = vi.fn();
    session.on("goaway", goaway);
    await once(session, "connect");
    for (let sent = 0; sent < 1000; sent += 50) {
      await Promise.all(
        Array.from(
          { length: 50 },
          () => new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve()))),
        ),
      );
    }
    const call = openCall(session);
    call.end(statusFrame("after pings"));
    const [trailers] = await once(call, "trailers");
    expect(trailers["grpc-status"]).toBe("0");
    expect(goaway).not.toHaveBeenCalled();
    session.close();
  });

  it("holds a thousand waiting calls on one connection and still answers", async () => {
    const { url, app } = await start();
    const client = grpc(url);
    const cancel = new AbortController();
    const waits = Array.from({ length: 1000 }, () =>
      client
        .waitForCompletion({ jobId: "w" }, { signal: cancel.signal })
        .catch((error) => ConnectError.from(error).code),
    );
    await vi.waitUntil(() => app.waiting() === 1000, 20_000);
    expect((await client.checkStatus({ jobId: "x" })).message).toBe("x");
    cancel.abort();
    expect(new Set(await Promise.all(waits))).toEqual(new Set([Code.Canceled]));
    await vi.waitUntil(() => app.waiting() === 0, 20_000);
    expect((await client.checkStatus({ jobId: "y" })).message).toBe("y");
  });

  it("says UNIMPLEMENTED for a gRPC method that nobody serves, and 404 for a page", async () => {
    const { url } = await start({ routes: { binary: () => {}, json: () => {} } });
    await expect(grpc(url).checkStatus({})).rejects.toMatchObject({ code: Code.Unimplemented });
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
  });
});

describe("limits", () => {
  it.each(Object.keys(TRANSPORTS))(
    "refuse a message above the maximum and leave the connection usable: %s",
    async (name) => {
      const { url } = await start({ maxMessageBytes: 4096 });
      const client = createClient(CuOptRemoteService, TRANSPORTS[name]!(url));
      for (let round = 0; round < 3; round++) {
        const big = client.sendArrayChunk({ uploadId: "u", chunk: { data: new Uint8Array(5000) } });
        await expect(big).rejects.toMatchObject({ code: Code.ResourceExhausted });
        const huge = client.sendArrayChunk({ uploadId: "u", chunk: { data: new Uint8Array(400_000) } });
        await expect(huge).rejects.toMatchObject({ code: Code.ResourceExhausted });
        expect((await client.checkStatus({ jobId: "still here" })).message).toBe("still here");
      }
      expect(Number((await client.sendArrayChunk({ chunk: { data: new Uint8Array(2500) } })).chunksReceived)).toBe(
        2500,
      );
    },
  );

  it("refuse on the same HTTP/2 connection, not on a new one", async () => {
    const { host } = await start({ maxMessageBytes: 4096 });
    const session = http2.connect(`http://localhost:${host.port}`);
    for (const [length, status] of [
      [5000, "8"],
      [8_000_000, "8"],
      [0, "0"],
      [5000, "8"],
      [0, "0"],
    ] as const) {
      const call = openCall(session);
      call.on("error", () => {}); // The server may stop reading what it refused.
      const frame = Buffer.alloc(5 + length);
      frame.writeUInt32BE(length, 1);
      call.end(frame);
      const [trailers] = await once(call, "trailers");
      expect(trailers["grpc-status"]).toBe(status);
    }
    expect(session.destroyed).toBe(false);
    session.close();
  });

  it.each(Object.keys(TRANSPORTS))(
    "let requests beyond the byte budget wait, then refuse them naming the chunk path: %s",
    async (name) => {
      const { url, app } = await start({ maxMessageBytes: 2 ** 22, maxInFlightBytes: 2 ** 22, inFlightWaitMs: 200 });
      const client = createClient(CuOptRemoteService, TRANSPORTS[name]!(url));
      const gate = Promise.withResolvers<void>();
      let inside = 0;
      app.beforeChunkAnswer = () => {
        inside++;
        return gate.promise;
      };
      const chunk = { data: new Uint8Array(2_200_000) };
      const first = client.sendArrayChunk({ chunk });
      await vi.waitUntil(() => inside === 1);
      const refusal = await client.sendArrayChunk({ chunk }).catch(ConnectError.from);
      expect(refusal).toMatchObject({
        code: Code.ResourceExhausted,
        rawMessage: expect.stringContaining("SendArrayChunk"),
      });
      expect((await client.checkStatus({ jobId: "small ones pass" })).message).toBe("small ones pass");
      gate.resolve();
      expect(Number((await first).chunksReceived)).toBe(2_200_000);
      expect(Number((await client.sendArrayChunk({ chunk })).chunksReceived)).toBe(2_200_000);
    },
  );

  it("take compressed messages, and refuse one that grows beyond the maximum", async () => {
    const { url } = await start({ maxMessageBytes: 2 ** 20 });
    const transport = createGrpcTransport({ baseUrl: url, sendCompression: compressionGzip });
    const client = createClient(CuOptRemoteService, transport);
    const within = client.sendArrayChunk({ chunk: { data: new Uint8Array(1_000_000) } });
    expect(Number((await within).chunksReceived)).toBe(1_000_000);
    const beyond = client.sendArrayChunk({ chunk: { data: new Uint8Array(10_000_000) } });
    await expect(beyond).rejects.toMatchObject({ code: Code.ResourceExhausted });
    expect((await client.checkStatus({ jobId: "still here" })).message).toBe("still here");
  });

  it("let a message through that is far larger than a chunk", async () => {
    const { url } = await start({ maxMessageBytes: 2 ** 26 });
    const data = new Uint8Array(36 * 2 ** 20);
    expect(Number((await grpc(url).sendArrayChunk({ chunk: { data } })).chunksReceived)).toBe(data.byteLength);
  });

  it.each([3, 9])("refuse a message that breaks off after %i bytes", async (sent) => {
    const { host } = await start();
    const session = http2.connect(`http://localhost:${host.port}`);
    const call = openCall(session);
    call.end(statusFrame("broken off").subarray(0, sent));
    const [trailers] = await once(call, "trailers");
    expect(trailers["grpc-status"]).toBe(String(Code.InvalidArgument));
    session.close();
  });

  it("let an upload through that comes frame by frame", async () => {
    const { host } = await start();
    const session = http2.connect(`http://localhost:${host.port}`);
    const call = openCall(session);
    for (const byte of statusFrame("in pieces")) {
      await new Promise<void>((resolve) => call.write(Buffer.from([byte]), () => resolve()));
    }
    call.end();
    const parts: Buffer[] = [];
    call.on("data", (part: Buffer) => parts.push(part));
    const [trailers] = await once(call, "trailers");
    expect(trailers["grpc-status"]).toBe("0");
    expect(Buffer.concat(parts).includes("in pieces")).toBe(true);
    session.close();
  });
});

describe("faults", () => {
  it.each(Object.keys(TRANSPORTS))(
    "of ours reach the client as INTERNAL with the id that the log has: %s",
    async (name) => {
      const { url, entries } = await start();
      const client = createClient(CuOptRemoteService, TRANSPORTS[name]!(url));
      const error = await client.checkStatus({ jobId: "secret fault" }).catch(ConnectError.from);
      expect(error).toMatchObject({
        code: Code.Internal,
        rawMessage: expect.stringMatching(/^internal error \(id [0-9a-f-]{36}\)$/),
      });
      const logged = entries.find((entry) => entry.message === "internal error");
      expect((error as ConnectError).rawMessage).toContain(logged?.fields["errorId"]);
      expect(String(logged?.fields["err"])).toContain("hunter2");
    },
  );

  it("that the service names pass unchanged", async () => {
    const { url, entries } = await start();
    const failing = grpc(url).checkStatus({ jobId: "known fault" });
    await expect(failing).rejects.toMatchObject({ code: Code.NotFound, rawMessage: "no such job" });
    expect(entries).toEqual([]);
  });

  it("in a request's form are answered, not suffered", async () => {
    const { host, url } = await start();
    const garbage = await exchange(host.port, Buffer.from("\x16\x03\x01 no TLS here\r\n\r\n", "latin1"), 3);
    expect(garbage.toString("latin1")).toMatch(/^HTTP\/1\.1 400/);
    const noHost = await exchange(host.port, Buffer.from(`POST ${CHECK_STATUS} HTTP/1.0\r\n\r\n`), 3);
    expect(noHost.toString("latin1")).toMatch(/^HTTP\/1\.1 400/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe("a stop", () => {
  it("ends open streams with UNAVAILABLE and closes every connection", async () => {
    const { host, url, app } = await start();
    const endings = Object.values(TRANSPORTS).map(async (make) => {
      const lines: string[] = [];
      try {
        for await (const { line } of createClient(CuOptRemoteService, make(url)).streamLogs({})) lines.push(line);
      } catch (error) {
        return { lines, error: ConnectError.from(error) };
      }
      return { lines };
    });
    await vi.waitUntil(() => app.waiting() === endings.length);
    await host.close(60_000); // Far beyond the test's own limit: it must not be used up.
    for (const { lines, error } of await Promise.all(endings)) {
      expect(lines).toEqual(["first line"]);
      expect(error).toMatchObject({
        code: Code.Unavailable,
        rawMessage: "server is stopping; resume from your last byte_offset",
      });
    }
  });

  it("lets a running unary call end", async () => {
    const { host, url, app } = await start();
    const gate = Promise.withResolvers<void>();
    const inside = Promise.withResolvers<void>();
    app.beforeChunkAnswer = () => {
      inside.resolve();
      return gate.promise;
    };
    const call = grpc(url).sendArrayChunk({ uploadId: "u" });
    await inside.promise;
    const closed = host.close(60_000);
    gate.resolve();
    expect((await call).uploadId).toBe("u");
    await closed;
  });

  it("tells unary calls that wait to give up", async () => {
    const { host, url, app } = await start();
    const wait = grpc(url).waitForCompletion({}).catch(ConnectError.from);
    await vi.waitUntil(() => app.waiting() === 1);
    await host.close(60_000);
    expect(await wait).toMatchObject({ code: Code.Unavailable });
  });

  it("closes by force what does not end within the grace", async () => {
    const { host, url, app } = await start();
    const inside = Promise.withResolvers<void>();
    app.beforeChunkAnswer = () => {
      inside.resolve();
      return new Promise(() => {});
    };
    const cancel = new AbortController();
    const call = grpc(url).sendArrayChunk({}, { signal: cancel.signal }).catch(ConnectError.from);
    await inside.promise;
    await host.close(100);
    cancel.abort();
    expect(await call).toBeInstanceOf(ConnectError);
  });

  it("is not held up by connections that are idle or have said nothing", async () => {
    const { host, url } = await start();
    await fetch(`${url}/healthz`); // Leaves a kept-alive connection behind.
    const session = http2.connect(url);
    const silent = net.connect(host.port, "127.0.0.1");
    const halfPreface = net.connect(host.port, "127.0.0.1");
    halfPreface.write("PR");
    await Promise.all([once(session, "remoteSettings"), once(silent, "connect"), once(halfPreface, "connect")]);
    for (const socket of [session, silent, halfPreface]) socket.on("error", () => {});
    await host.close(60_000);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it("turns the probes before it is over", async () => {
    const { host, url, app } = await start();
    const inside = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    app.beforeChunkAnswer = () => {
      inside.resolve();
      return gate.promise;
    };
    const call = grpc(url).sendArrayChunk({});
    await inside.promise;
    const closed = host.close(60_000);
    expect(host.health.isServing).toBe(false);
    gate.resolve();
    await Promise.all([call, closed]);
  });
});

describe("a start", () => {
  it("refuses a taken port in words for a person", async () => {
    const { host } = await start();
    const second = startSmallHost({ port: host.port });
    await expect(second).rejects.toBeInstanceOf(ListenError);
    await expect(second).rejects.toThrow(`cannot listen on 127.0.0.1:${host.port}: the port is taken`);
  });

  it("names the address it found, an IPv6 one in brackets", async () => {
    const { host } = await start();
    expect(host.address).toBe(`127.0.0.1:${host.port}`);
    const canIpv6 = await new Promise<boolean>((resolve) => {
      const probe = net.createServer().once("error", () => resolve(false));
      probe.listen(0, "::1", () => probe.close(() => resolve(true)));
    });
    if (!canIpv6) return;
    const six = await start({ host: "::1" });
    expect(six.host.address).toBe(`[::1]:${six.host.port}`);
  });
});

/** Sends `bytes` in two parts, the second once the first is out, and returns the first that comes back. */
async function exchange(port: number, bytes: Buffer, cut: number): Promise<Buffer> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  await new Promise((resolve) => socket.write(bytes.subarray(0, cut), resolve));
  await new Promise((resolve) => setImmediate(resolve));
  socket.write(bytes.subarray(cut));
  const [answer] = await once(socket, "data");
  socket.destroy();
  return answer;
}

/** A connection whose first `count` bytes leave one by one, each in a packet of its own. */
function trickling(socket: net.Socket, count: number): Duplex {
  socket.setNoDelay(true);
  let left = count;
  const slow = new Duplex({
    read() {},
    async write(data: Buffer, _encoding, done) {
      let offset = 0;
      for (; offset < data.byteLength && left > 0; offset++, left--) {
        await new Promise((written) => socket.write(data.subarray(offset, offset + 1), written));
        await new Promise((later) => setImmediate(later));
      }
      socket.write(data.subarray(offset), () => done());
    },
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (data) => slow.push(data));
  socket.on("end", () => slow.push(null));
  socket.on("error", (error) => slow.destroy(error));
  return slow;
}
