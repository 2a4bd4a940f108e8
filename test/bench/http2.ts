// The lightest client there is, so that a bench measures the server: encoded bytes over one HTTP/2 connection.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from "node:http2";
import { fileURLToPath } from "node:url";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { MIB } from "./report.ts";

export class Http2Client implements Disposable {
  readonly #session: ClientHttp2Session;

  constructor(origin: string) {
    const settings = { initialWindowSize: 4 * MIB, maxFrameSize: MIB };
    // In MB: a chunk on its way counts, and the default of 10 closes the stream.
    this.#session = connect(origin, { settings, maxSessionMemory: 1024 });
    this.#session.once("connect", () => this.#session.setLocalWindowSize(64 * MIB));
    this.#session.setMaxListeners(0);
  }

  /** @returns the answer's body. @throws if the status, HTTP's or gRPC's, is not the good one */
  async request(headers: OutgoingHttpHeaders, parts: readonly Uint8Array[] = []): Promise<Buffer> {
    const stream = this.#session.request(headers, { endStream: parts.length === 0 });
    const body: Buffer[] = [];
    let status: unknown;
    let grpcStatus: unknown;
    let grpcMessage: unknown;
    const note = (found: OutgoingHttpHeaders) => {
      status ??= found[":status"];
      grpcStatus = found["grpc-status"] ?? grpcStatus;
      grpcMessage = found["grpc-message"] ?? grpcMessage;
    };
    stream.on("response", note).on("trailers", note);
    stream.on("data", (part: Buffer) => body.push(part));
    const end = once(stream, "close");
    for (const part of parts) stream.write(part);
    if (parts.length > 0) stream.end();
    await end;
    if (status !== 200 || (grpcStatus !== undefined && grpcStatus !== "0")) {
      throw new Error(
        `${headers[":path"]}: HTTP ${status}, gRPC ${grpcStatus} ${decodeURIComponent(String(grpcMessage))}`,
      );
    }
    return Buffer.concat(body);
  }

  /** A unary gRPC call. @returns the encoded answer */
  async call(method: string, message: readonly Uint8Array[]): Promise<Buffer> {
    const length = message.reduce((sum, part) => sum + part.byteLength, 0);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(length, 1);
    const headers = { ":method": "POST", ":path": `/${method}`, "content-type": "application/grpc", te: "trailers" };
    return (await this.request(headers, [prefix, ...message])).subarray(5);
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

export const CUOPT = "cuopt.remote.CuOptRemoteService";

export function encode<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Uint8Array[] {
  return [toBinary(schema, create(schema, init))];
}

/** Runs the tasks with so many under way at once. */
export async function inFlight(width: number, count: number, task: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** Starts the baseline server in a process of its own. */
export async function startPlainServer(): Promise<{ origin: string } & AsyncDisposable> {
  const child = spawn(
    process.execPath,
    [...process.execArgv, fileURLToPath(new URL("./plain-server.ts", import.meta.url))],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const ended = once(child, "exit");
  const [port] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  return {
    origin: `http://127.0.0.1:${port.trim()}`,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
