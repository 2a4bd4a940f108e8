// Signed links to the file store, answered by the server, over every HTTP it speaks.
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { FileBlobs, FileLinks } from "@sortie/platform-local";
import { startHost } from "@sortie/server";
import pino from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTransferHandler } from "../../packages/server/src/transfers.ts";
import { tempFolders } from "./helpers/temp.ts";
import { describeLinks } from "./links.suite.ts";

const tempFolder = tempFolders();

async function open(silenceMs?: number) {
  const folder = await tempFolder();
  const linkKeyFile = join(folder, "links.key");
  const blobs = await FileBlobs.open({ folder: join(folder, "blobs"), linkKeyFile });
  const logger = pino({ level: "silent" });
  const nothing = () => {};
  const host = await startHost({
    host: "127.0.0.1",
    port: 0,
    routes: { binary: nothing, json: nothing },
    maxMessageBytes: 4096,
    logger,
    transfers: createTransferHandler({ blobs, logger, now: Date.now, silenceMs }),
  });
  return {
    blobs,
    folder,
    linkKeyFile,
    port: host.port,
    baseUrl: `http://${host.address}`,
    checks: { signature: true, expiry: true, headers: true, digest: true, once: true },
    close: async () => {
      await host.close(0);
      await blobs[Symbol.asyncDispose]();
    },
  };
}

describeLinks("files", () => open());

describe("Links to files", () => {
  let opened: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    opened = await open(300);
  });
  afterAll(() => opened?.close());
  const soon = () => Date.now() + 60_000;
  const leftAside = async () => readdir(join(opened.folder, "blobs", ".tmp"));

  it("a PUT that breaks off, or says nothing any more, leaves nothing", async () => {
    const { blobs, port } = opened;
    for (const how of ["breaks off", "is silent"]) {
      const key = `broken/${how.length}`;
      const link = await blobs.links!.signPut(key, 1_000_000, soon());
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      const closed = once(socket, "close");
      socket.write(`PUT ${link.url} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n`);
      socket.write(Buffer.alloc(500_000));
      await expect.poll(leftAside).toHaveLength(1);
      if (how === "breaks off") socket.destroy();
      await closed;
      await expect.poll(leftAside).toEqual([]);
      expect(await blobs.stat(key)).toBeUndefined();
    }
  });

  it("a PUT must say its length", async () => {
    const link = await opened.blobs.links!.signPut("unknown/length", 4, soon());
    const call = request(new URL(link.url, opened.baseUrl), { method: "PUT" });
    call.write("fo");
    call.end("ur");
    const [answer] = await once(call, "response");
    answer.resume();
    expect(answer.statusCode).toBe(411);
    expect(await opened.blobs.stat("unknown/length")).toBeUndefined();
  });

  it("both ways work over HTTP/2, and a body that is longer than it says is refused", async () => {
    const session = connectHttp2(opened.baseUrl);
    const send = async (headers: Record<string, string>, body?: Buffer) => {
      const stream = session.request(headers, { endStream: body === undefined });
      if (body) stream.end(body);
      let text = "";
      stream.setEncoding("utf8").on("data", (piece) => (text += piece));
      const [head] = await once(stream, "response");
      await once(stream, "close");
      return { status: head[":status"], text };
    };
    const put = await opened.blobs.links!.signPut("two/a", 5, soon());
    const head = { ":method": "PUT", ":path": put.url, ...put.headers };
    expect((await send(head, Buffer.from("hello"))).status).toBe(200);
    expect((await send(head, Buffer.from("hello"))).status).toBe(412);
    const get = await opened.blobs.links!.signGet("two/a", { offset: 1, length: 3 }, soon());
    expect(await send({ ":method": "GET", ":path": get.url, ...get.headers })).toEqual({ status: 206, text: "ell" });
    session.close();
  });

  it("other methods, and paths that are no link, are told what is wrong", async () => {
    const { blobs, baseUrl } = opened;
    const link = await blobs.links!.signGet("two/a", { offset: 0, length: 1 }, soon());
    const head = await fetch(new URL(link.url, baseUrl), { method: "DELETE" });
    expect(head.status).toBe(405);
    expect(head.headers.get("allow")).toBe("GET, PUT");
    const bare = await fetch(`${baseUrl}/transfer/two/a`);
    expect(bare.status).toBe(403);
    expect(await bare.text()).toMatch(/altered, or signed elsewhere/);
    expect((await fetch(`${baseUrl}/elsewhere`)).status).toBe(404);
  });

  it("a PUT may be larger than any message", async () => {
    const { blobs, baseUrl } = opened;
    const bytes = 64 * 1024 * 1024;
    const link = await blobs.links!.signPut("large/a", bytes, soon());
    const piece = new Uint8Array(1024 * 1024).fill(7);
    let left = bytes;
    const body = new ReadableStream({
      pull(controller) {
        if (left === 0) return controller.close();
        left -= piece.byteLength;
        controller.enqueue(piece.slice());
      },
    });
    const put = { method: "PUT", headers: link.headers, body, duplex: "half" } as RequestInit;
    expect((await fetch(new URL(link.url, baseUrl), put)).status).toBe(200);
    expect(await blobs.stat("large/a")).toBe(bytes);
  });

  it("the key is made on first use, for its owner only, and another store's links are not taken", async () => {
    const folder = await tempFolder();
    const file = join(folder, "links.key");
    const [one, two] = [new FileLinks(file), new FileLinks(file)];
    expect(await readdir(folder)).toEqual([]);
    // At the same time: they agree.
    const [link] = await Promise.all([
      one.signGet("a", { offset: 0, length: 1 }, soon()),
      two.signGet("b", { offset: 0, length: 1 }, soon()),
    ]);
    expect(await readdir(folder)).toEqual(["links.key"]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file, "utf8")).trim()).toMatch(/^[0-9a-f]{64}$/);
    expect(await two.read("GET", link.url)).toMatchObject({ key: "a", bytes: 1 });
    expect(await two.read("PUT", link.url)).toBeUndefined();
    expect(await opened.blobs.links!.read("GET", link.url)).toBeUndefined();
    const broken = join(folder, "broken.key");
    await writeFile(broken, "no key\n");
    await expect(new FileLinks(broken).signPut("a", 1, soon())).rejects.toThrow(/broken\.key does not hold a key/);
  });
});
