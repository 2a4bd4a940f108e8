// Group A: connection.
import { once } from "node:events";
import http2 from "node:http2";
import { buffer } from "node:stream/consumers";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { JobStatus, StatusRequestSchema, StatusResponseSchema } from "@sortie/wire";
import { expect, onTestFinished } from "vitest";
import { overEveryTransport, sharedServer } from "./harness.ts";
import type { TransportChoice } from "./hosts.ts";
import { smallModel, TINY_LP_OBJECTIVE, tinyLp } from "./models.ts";
import { refused, submissionOf } from "./session.ts";

const server = sharedServer();
const small = sharedServer("--max-message-bytes", "4096");

const PROBE = { jobId: "__connection_probe__" };

/** CheckStatus of the probe on a connection that is open already. */
async function probeOver(
  connection: http2.ClientHttp2Session,
  protocol: TransportChoice["protocol"],
): Promise<JobStatus> {
  const message = toBinary(StatusRequestSchema, create(StatusRequestSchema, PROBE));
  const stream = connection.request({
    ":method": "POST",
    ":path": "/cuopt.remote.CuOptRemoteService/CheckStatus",
    "content-type": protocol === "grpc" ? "application/grpc" : "application/proto",
    ...(protocol === "grpc" ? { te: "trailers" } : {}),
  });
  // gRPC puts a flag and the length of the message before it.
  const envelope = Buffer.alloc(protocol === "grpc" ? 5 : 0);
  if (protocol === "grpc") envelope.writeUInt32BE(message.byteLength, 1);
  stream.end(Buffer.concat([envelope, message]));
  const body = await buffer(stream);
  return fromBinary(StatusResponseSchema, body.subarray(envelope.byteLength)).jobStatus;
}

overEveryTransport((scenario) => {
  scenario("A1", async ({ connect, host }) => {
    for (const options of [{}, { http2: true }, { json: true }]) {
      const { rpc } = await connect(server, options);
      const answer = await rpc.checkStatus(PROBE, { timeoutMs: 5000 });
      expect(answer).toMatchObject({ jobStatus: JobStatus.NOT_FOUND, message: "Job ID not found" });
      expect(answer.maxMessageBytes).toBe(BigInt(host.maxMessageBytes));
    }
  });

  scenario("A6", async ({ transport, running }) => {
    // Pings do not carry the time, so many in a row stand for one each 30 s: 200 of them would take 100 minutes.
    const connection = http2.connect((await running(server)).url());
    onTestFinished(() => connection.destroy());
    await once(connection, "connect");
    const ends: string[] = [];
    for (const end of ["goaway", "close", "error"] as const) connection.on(end, () => ends.push(end));
    for (let i = 0; i < 200; i++) {
      await new Promise<void>((resolve, reject) => connection.ping((error) => (error ? reject(error) : resolve())));
    }
    expect(ends).toEqual([]);
    expect(await probeOver(connection, transport.protocol)).toBe(JobStatus.NOT_FOUND);
  });

  scenario("A7", async ({ connect }) => {
    const session = await connect(small);
    expect((await session.rpc.checkStatus(PROBE)).maxMessageBytes).toBe(4096n);
    const large = smallModel({ c: new Array(625).fill(1) });
    await refused(session.rpc.submitJob(submissionOf(large)), Code.ResourceExhausted);
    expect((await session.solved(tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });
});
