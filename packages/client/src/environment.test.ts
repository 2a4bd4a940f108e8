// Rules of the environment: cuOpt's variables as cuOpt reads them, Sortie's strictly and before them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientSettingsFrom } from "./environment.ts";
import { ConfigurationError } from "./errors.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const HOST = { CUOPT_REMOTE_HOST: "solve.example", CUOPT_REMOTE_PORT: "5001" };

let folder: string;
let broken: string;
let noPem: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-environment-"));
  broken = join(folder, "broken.pem");
  noPem = join(folder, "no.pem");
  writeFileSync(broken, "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n");
  writeFileSync(noPem, "certificate");
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the server", () => {
  it.each([
    [HOST, "solve.example:5001"],
    [{ CUOPT_REMOTE_HOST: "", CUOPT_REMOTE_PORT: "" }, ":"],
    [{ CUOPT_REMOTE_HOST: "::1", CUOPT_REMOTE_PORT: "5001" }, "[::1]:5001"],
    [{ CUOPT_REMOTE_HOST: "solve.example" }, undefined],
    [{ CUOPT_REMOTE_PORT: "5001" }, undefined],
    [{}, undefined],
    [{ ...HOST, SORTIE_SERVER: "other:1" }, "other:1"],
    [{ ...HOST, SORTIE_SERVER: "" }, "solve.example:5001"],
    [{ SORTIE_SERVER: "https://solve.example/" }, "https://solve.example/"],
  ])("of %j is %s", (env, address) => {
    expect(clientSettingsFrom(env).address).toBe(address);
  });

  it("gets the token that is set, and none if it is empty", () => {
    expect(clientSettingsFrom({ SORTIE_TOKEN: "secret" }).token).toBe("secret");
    expect(clientSettingsFrom({ SORTIE_TOKEN: "" }).token).toBeUndefined();
  });
});

describe("cuOpt's sizes", () => {
  it.each([
    ["5000000", 5_000_000],
    ["5000000 bytes", 5_000_000],
    ["4096", 4096],
    [String(2 * GIB), 2 * GIB],
    ["16MB", undefined],
    ["abc", undefined],
    ["", undefined],
    ["-5000", undefined],
    ["100", undefined],
    ["4095", undefined],
    [String(2 * GIB + 1), undefined],
  ])("of chunks: %j is %s", (text, chunkBytes) => {
    expect(clientSettingsFrom({ CUOPT_CHUNK_SIZE: text }).chunkBytes).toBe(chunkBytes);
  });

  it.each([
    ["8192", 4 * MIB],
    ["5000000", 5_000_000],
    [String(2 * GIB), 2 * GIB - MIB],
    ["100", undefined],
    ["16MB", undefined],
  ])("of messages: %j is %s", (text, maxMessageBytes) => {
    expect(clientSettingsFrom({ CUOPT_MAX_MESSAGE_BYTES: text }).maxMessageBytes).toBe(maxMessageBytes);
  });
});

describe("Sortie's numbers", () => {
  it("are stronger than cuOpt's", () => {
    const env = {
      CUOPT_CHUNK_SIZE: "5000000",
      CUOPT_MAX_MESSAGE_BYTES: "5000000",
      SORTIE_CHUNK_BYTES: "1000",
      SORTIE_MAX_MESSAGE_BYTES: String(8 * MIB),
      SORTIE_PARALLEL_CHUNKS: "2",
      SORTIE_BYTES_IN_FLIGHT: "1000000",
    };
    expect(clientSettingsFrom(env)).toMatchObject({
      chunkBytes: 1000,
      maxMessageBytes: 8 * MIB,
      parallelChunks: 2,
      bytesInFlight: 1_000_000,
    });
  });

  it.each([
    ["SORTIE_CHUNK_BYTES", "16MB"],
    ["SORTIE_CHUNK_BYTES", "0"],
    ["SORTIE_MAX_MESSAGE_BYTES", "4096"],
    ["SORTIE_PARALLEL_CHUNKS", "-1"],
    ["SORTIE_PARALLEL_CHUNKS", "1e1"],
    ["SORTIE_BYTES_IN_FLIGHT", "many"],
    ["SORTIE_TLS", "yes"],
  ])("and words that cannot be read are errors that name them: %s=%s", (name, value) => {
    expect(() => clientSettingsFrom({ [name]: value })).toThrow(ConfigurationError);
    expect(() => clientSettingsFrom({ [name]: value })).toThrow(`${name} is "${value}"; `);
  });

  it("count as unset where they are empty", () => {
    expect(clientSettingsFrom({ SORTIE_CHUNK_BYTES: "", SORTIE_TLS: "" })).toMatchObject({ chunkBytes: undefined });
  });
});

describe("TLS", () => {
  it.each([
    [{}, false],
    [{ CUOPT_TLS_ENABLED: "1" }, true],
    [{ CUOPT_TLS_ENABLED: "0" }, false],
    [{ CUOPT_TLS_ENABLED: "true" }, false],
    [{ CUOPT_TLS_ENABLED: "1", SORTIE_TLS: "false" }, false],
    [{ SORTIE_TLS: "true" }, true],
    [{ SORTIE_SERVER: "https://solve.example" }, true],
    [{ SORTIE_SERVER: "http://solve.example", CUOPT_TLS_ENABLED: "1" }, false],
  ])("by %j is %s", (env, isOn) => {
    expect(clientSettingsFrom({ ...HOST, ...env }).tls !== undefined).toBe(isOn);
  });

  it("that contradicts the address is an error", () => {
    const env = { SORTIE_SERVER: "http://solve.example", SORTIE_TLS: "true" };
    expect(() => clientSettingsFrom(env)).toThrow("SORTIE_TLS is true, but SORTIE_SERVER is http://solve.example");
  });

  it.each([
    ["CUOPT_TLS_CLIENT_CERT", "CUOPT_TLS_CLIENT_KEY"],
    ["CUOPT_TLS_CLIENT_KEY", "CUOPT_TLS_CLIENT_CERT"],
    ["SORTIE_TLS_CLIENT_CERT", "SORTIE_TLS_CLIENT_KEY"],
  ])("with %s alone is an error that names both, even where TLS is off", (given, missing) => {
    for (const on of [{}, { CUOPT_TLS_ENABLED: "1" }]) {
      expect(() => clientSettingsFrom({ ...HOST, ...on, [given]: noPem, [missing]: "" })).toThrow(
        `${given} is set without ${missing}; a client certificate needs both`,
      );
    }
  });

  it.each(["CUOPT_TLS_ROOT_CERT", "SORTIE_TLS_ROOT_CERT"])("names %s and the file that cannot be used", (name) => {
    const tell = (path: string) => () => clientSettingsFrom({ ...HOST, CUOPT_TLS_ENABLED: "1", [name]: path });
    const missing = join(folder, "missing.pem");
    expect(tell(missing)).toThrow(`${name} is ${missing}, which cannot be read: `);
    expect(tell(noPem)).toThrow(`${name} is ${noPem}, which is no PEM file: `);
    expect(tell(broken)).toThrow(`${name} (${broken}) cannot be used: `);
  });

  it("leaves files alone where it is off", () => {
    expect(clientSettingsFrom({ ...HOST, CUOPT_TLS_ROOT_CERT: noPem }).tls).toBeUndefined();
  });
});

it("debug lines are asked for by a number that is not 0", () => {
  expect(clientSettingsFrom({ CUOPT_GRPC_DEBUG: "1" }).onDebug).toBeTypeOf("function");
  expect(clientSettingsFrom({ CUOPT_GRPC_DEBUG: "0" }).onDebug).toBeUndefined();
  expect(clientSettingsFrom({ CUOPT_GRPC_DEBUG: "on" }).onDebug).toBeUndefined();
});
