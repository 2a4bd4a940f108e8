// Rules of reaching a server from Node: which addresses there are, and what is told of one that cannot be used.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConfigurationError, ConnectionError } from "./errors.ts";
import { type ConnectOptions, connect, connectFromEnvironment, transportTo } from "./node.ts";

describe("an address", () => {
  it.each([
    "localhost:5001",
    "127.0.0.1:1",
    "[::1]:5001",
    "a.example:65535",
    "http://localhost:5001",
    "https://a.example/x/",
  ])("may be %s", (address) => {
    transportTo({ address }).close();
  });

  it.each([
    "",
    ":",
    "localhost",
    ":5001",
    "localhost:",
    "localhost:0",
    "localhost:65536",
    "ftp://a:1",
    "http://",
    "a b:1",
  ])("cannot be %j", (address) => {
    expect(() => transportTo({ address })).toThrow(ConfigurationError);
    expect(() => transportTo({ address })).toThrow(`address is "${address}"; HOST:PORT, http://… and https://… are`);
  });

  it("that is none at all is told as well", async () => {
    await expect(connect(undefined as never)).rejects.toThrow('address is "undefined"; HOST:PORT');
  });

  it("may be spoken to in three protocols", () => {
    for (const protocol of ["grpc", "grpc-web", "connect"] as const) {
      transportTo({ address: "localhost:5001", protocol }).close();
      transportTo({ address: "http://localhost:5001", protocol }).close();
    }
    expect(() => transportTo({ address: "localhost:5001", protocol: "rest" as "grpc" })).toThrow(
      'protocol is "rest" for localhost:5001; grpc, grpc-web and connect are allowed',
    );
  });
});

describe("key material", () => {
  it("that is half there is an error before anything is sent", () => {
    expect(() => transportTo({ address: "localhost:5001", tls: { clientKey: "key.pem" } })).toThrow(
      "tls.clientKey is set without tls.clientCert",
    );
  });

  it("has no part in a URL in clear", () => {
    transportTo({ address: "http://localhost:5001", tls: true }).close();
  });
});

it("an environment without a server is an error that says what to set", async () => {
  await expect(connectFromEnvironment({ CUOPT_REMOTE_HOST: "localhost" })).rejects.toThrow(
    /names no server: SORTIE_SERVER, or both CUOPT_REMOTE_HOST and CUOPT_REMOTE_PORT/,
  );
});

/** Answers whatever comes with this text, and hangs up. */
async function portThatSays(text: string): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(text));
  });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("a connection that does not come about", () => {
  const WEB_PAGE = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

  it.each<[string, (port: number) => ConnectOptions, string, RegExp]>([
    [
      "gRPC to a web site",
      (port) => ({ address: `127.0.0.1:${port}` }),
      WEB_PAGE,
      /speaks no HTTP\/2, and so no gRPC$/,
    ],
    ["gRPC to something else", (port) => ({ address: `127.0.0.1:${port}` }), "SSH-2.0\r\n", /speaks no HTTP\/2/],
    ["Connect to a web site", (port) => ({ address: `http://127.0.0.1:${port}` }), WEB_PAGE, /is no such server$/],
    ["TLS to clear text", (port) => ({ address: `127.0.0.1:${port}`, tls: true }), WEB_PAGE, /does not speak TLS/],
    ["TLS by URL to clear text", (port) => ({ address: `https://127.0.0.1:${port}` }), WEB_PAGE, /does not speak TLS/],
  ])("says what is wrong, and breaks nothing else: %s", async (_, options, answer, expected) => {
    const found = await connect(options(await portThatSays(answer))).catch((error: unknown) => error);
    expect(found).toBeInstanceOf(ConnectionError);
    expect((found as Error).message).toMatch(expected);
  });

  it("says that nothing listens", async () => {
    await expect(connect("127.0.0.1:1")).rejects.toThrow(
      "cannot connect to 127.0.0.1:1: nothing listens there (connect ECONNREFUSED 127.0.0.1:1)",
    );
  });
});
