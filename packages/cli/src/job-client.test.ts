// Which server the commands around jobs call, and how: options before Sortie's variables, these before cuOpt's.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { createAuthority, type Identity } from "../../server/src/testing/certificates.ts";
import { type ClientOptionValues, idsOf, oneId, secondsOf, serverSettings, wholeNumberOf } from "./job-client.ts";

let folder: string;
let root: string;
let identity: Identity;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sortie-job-client-"));
  const authority = await createAuthority("the authority of the tests");
  root = authority.root;
  identity = await authority.issue("a client");
  writeFileSync(at("root.pem"), root);
  writeFileSync(at("cert.pem"), identity.cert);
  writeFileSync(at("key.pem"), identity.key);
  writeFileSync(at("no.pem"), "nothing of the kind");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (/^(SORTIE|CUOPT)_/.test(name)) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

type Variables = Readonly<Record<string, string>>;

function settings(values: ClientOptionValues, variables: Variables = {}) {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  return serverSettings("status", values);
}

it.each<[string, ClientOptionValues, Variables, object]>([
  ["an option", { server: "a:1" }, { SORTIE_SERVER: "b:2" }, { address: "a:1", tls: undefined }],
  [
    "Sortie's variable",
    {},
    { SORTIE_SERVER: "b:2", CUOPT_REMOTE_HOST: "c", CUOPT_REMOTE_PORT: "3" },
    { address: "b:2" },
  ],
  ["cuOpt's two variables", {}, { CUOPT_REMOTE_HOST: "c", CUOPT_REMOTE_PORT: "3" }, { address: "c:3" }],
  ["TLS by option", { server: "a:1", tls: true }, {}, { tls: {} }],
  ["TLS by variable", {}, { SORTIE_SERVER: "b:2", SORTIE_TLS: "true" }, { tls: {} }],
  ["a token by option", { server: "a:1", token: "x" }, { SORTIE_TOKEN: "y" }, { token: "x" }],
  ["a token by variable", { server: "a:1" }, { SORTIE_TOKEN: "y" }, { token: "y" }],
  ["limits by variable", { server: "a:1" }, { SORTIE_CHUNK_BYTES: "4096" }, { chunkBytes: 4096 }],
])("takes %s", (_, values, variables, expected) => {
  expect(settings(values, variables)).toMatchObject(expected);
});

it("means TLS when a certificate is named, and reads the files", () => {
  const values = {
    server: "a:1",
    "tls-root-cert": at("root.pem"),
    "tls-client-cert": at("cert.pem"),
    "tls-client-key": at("key.pem"),
  };
  expect(settings(values).tls).toEqual({ rootCert: root, clientCert: identity.cert, clientKey: identity.key });
});

it("believes a URL on the command line, whatever the variables say of TLS for another server", () => {
  const variables = { SORTIE_SERVER: "b:2", SORTIE_TLS: "true", SORTIE_TLS_ROOT_CERT: at("root.pem") };
  expect(settings({ server: "http://a" }, variables).tls).toBeUndefined();
  expect(settings({ server: "https://a" }, variables).tls).toMatchObject({ rootCert: root });
});

it.each<[string, ClientOptionValues, Variables, RegExp]>([
  ["no server", {}, {}, /^status needs a server: --server HOST:PORT or URL, or the variable SORTIE_SERVER/],
  ["half of cuOpt's variables", {}, { CUOPT_REMOTE_HOST: "c" }, /needs a server/],
  [
    "a file that is not there",
    { server: "a:1", "tls-root-cert": "none.pem" },
    {},
    /^--tls-root-cert: none\.pem cannot be read/,
  ],
  ["half a pair", { server: "a:1", "tls-client-cert": "cert.pem" }, {}, /--tls-client-cert/],
])("refuses %s", (_, values, variables, text) => {
  expect(() => settings(values, variables)).toThrow(text);
});

it("refuses a file that is no certificate, and a certificate without its key", () => {
  expect(() => settings({ server: "a:1", "tls-root-cert": at("no.pem") })).toThrow(/no PEM file/);
  expect(() => settings({ server: "a:1", "tls-client-cert": at("cert.pem") })).toThrow(
    /go together; one of them is missing/,
  );
});

it("takes ids, numbers and times as they are, and refuses others by name", async () => {
  expect(await idsOf("status", ["a", "b"])).toEqual(["a", "b"]);
  await expect(idsOf("status", [])).rejects.toThrow(/status needs the id of a job/);
  expect(oneId("logs", ["a"])).toBe("a");
  expect(() => oneId("logs", [])).toThrow(/takes the id of one job; found none/);
  expect([wholeNumberOf("from", undefined), wholeNumberOf("from", "12")]).toEqual([undefined, 12]);
  for (const text of ["", "1.5", "-1", "1e3", "99999999999999999999"]) {
    expect(() => wholeNumberOf("from", text)).toThrow(/^--from is ".*"; a whole number/);
  }
  expect(() => wholeNumberOf("limit", "0", 1)).toThrow(/at least 1/);
  expect(secondsOf("timeout", "0.5")).toBe(0.5);
  for (const text of ["", "0", "-1", "soon"]) expect(() => secondsOf("timeout", text)).toThrow(/^--timeout is/);
});
