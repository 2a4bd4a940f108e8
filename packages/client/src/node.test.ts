// Rules of reaching a server from Node: which addresses there are, and what is told of one that cannot be used.
import { describe, expect, it } from "vitest";
import { ConfigurationError } from "./errors.ts";
import { connectFromEnvironment, transportTo } from "./node.ts";

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
