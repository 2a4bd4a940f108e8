// The baseline of transfers: Node's own HTTP/2 server that does nothing but take a body into memory, or give one out.
// A POST is answered with the bytes that came; a GET of /N with N bytes. Prints its port; ends with its standard input.
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";

const MIB = 1024 * 1024;
// The windows of our host, so that the protocol's flow control is not what differs.
const server = createServer({ settings: { initialWindowSize: 4 * MIB, maxFrameSize: MIB }, maxSessionMemory: 1024 });
server.on("session", (session) => session.setLocalWindowSize(64 * MIB));

const bodies = new Map<number, Buffer>();

server.on("stream", (stream, headers) => {
  if (headers[":method"] === "GET") {
    const size = Number(headers[":path"]?.slice(1));
    const body = bodies.get(size) ?? Buffer.alloc(size, 1);
    bodies.set(size, body);
    stream.respond({ ":status": 200 });
    stream.end(body);
    return;
  }
  const parts: Buffer[] = [];
  stream.on("data", (part: Buffer) => parts.push(part));
  stream.on("end", () => {
    const body = Buffer.concat(parts);
    stream.respond({ ":status": 200 });
    stream.end(String(body.byteLength));
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.on("end", () => process.exit(0)).resume();
