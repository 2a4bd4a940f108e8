// The settings: which source wins, what is refused, and that all faults come at once.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSettings, SETTING_KEYS, SETTINGS, SettingsError, variableOf } from "./settings.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-settings-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function faultsOf(args: string[], environment: Record<string, string> = {}): readonly string[] {
  try {
    readSettings(args, environment);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}

describe("settings", () => {
  it("have defaults that serve one machine", () => {
    expect(readSettings([], {})).toMatchObject({
      port: 5001,
      host: "127.0.0.1",
      workers: 1,
      maxMessageBytes: 256 * 1024 * 1024,
      queueLimit: 100,
      maxAttempts: 3,
      durability: "process",
      tls: false,
      logLevel: "info",
      warnings: [],
    });
    expect(readSettings([], { XDG_DATA_HOME: "/somewhere" }).dataDirectory).toBe("/somewhere/sortie");
  });

  it("never repeat a secret, and warn of webhooks into the server's own network", () => {
    const [fault, ...rest] = faultsOf([], { SORTIE_WEBHOOK_SECRET: "hush" });
    expect(fault).toBe("--webhook-secret (SORTIE_WEBHOOK_SECRET) has 4 characters; at least 24 are needed");
    expect(rest).toEqual([]);
    expect(readSettings(["--webhook-allow-private"], {}).warnings).toEqual([
      expect.stringMatching(/^--webhook-allow-private: .* its own network$/),
    ]);
  });

  it("take the variables of CUVIS.AI's servers, which are weaker than our own", () => {
    const environment = {
      GRPC_PORT: "50051",
      GRPC_MAX_MSG_SIZE: String(500 * 1024 * 1024),
      CUVIS_CONFIGS_DIR: "/srv/configs",
      LOG_LEVEL: "WARNING",
    };
    expect(readSettings([], environment)).toMatchObject({
      port: 50051,
      pipelineMaxMessageMb: 500,
      configsDirectory: "/srv/configs",
      logLevel: "warn",
    });
    const stronger = readSettings(["--port", "1", "--configs-dir", "mine"], {
      ...environment,
      SORTIE_LOG_LEVEL: "error",
    });
    expect(stronger).toMatchObject({ port: 1, configsDirectory: "mine", logLevel: "error" });
    expect(readSettings([], {})).toMatchObject({
      configsDirectory: "configs",
      pipelineMaxMessageMb: 300,
      sessionIdleSeconds: 3600,
      strictPlugins: false,
      olderNodeForm: false,
      sharedMemory: false,
    });
    expect(readSettings(["--pipeline-roots", ["/a", "/b"].join(delimiter)], {}).pipelineRoots).toEqual(["/a", "/b"]);
  });

  it("ask for certificates where GRPC_USE_TLS asks for TLS", () => {
    expect(faultsOf([], { GRPC_USE_TLS: "true" })).toEqual([
      expect.stringContaining("--tls-cert"),
      expect.stringContaining("--tls-key"),
    ]);
    const missing = { GRPC_USE_TLS: "true", GRPC_TLS_CERT_PATH: "/none.pem", GRPC_TLS_KEY_PATH: "/none.pem" };
    expect(faultsOf([], missing).join()).toMatch(/none\.pem.*cannot be read/);
  });

  it.runIf(process.platform === "linux")("share memory with this machine alone", () => {
    expect(readSettings(["--shared-memory"], {}).sharedMemory).toBe(true);
    expect(faultsOf(["--shared-memory", "--host", "0.0.0.0"])).toEqual([expect.stringMatching(/loopback --host/)]);
  });

  it("come from flags before variables before the file before a container's variables", () => {
    const config = file("order.json", { port: 3, workers: 3, "queue-limit": 3, "max-attempts": 3 });
    const environment = {
      SORTIE_PORT: "2",
      SORTIE_WORKERS: "2",
      SORTIE_CONFIG: config,
      CUOPT_SERVER_PORT: "4",
      CUOPT_GPU_COUNT: "4",
      CUOPT_GRPC_ARGS: "--queue-limit 4  --max-attempts 4 --lease-seconds 4",
    };
    expect(readSettings(["-p", "1"], environment)).toMatchObject({
      port: 1,
      workers: 2,
      queueLimit: 3,
      maxAttempts: 3,
      leaseSeconds: 4,
    });
    expect(readSettings([], { CUOPT_SERVER_PORT: "7", CUOPT_GPU_COUNT: "2" })).toMatchObject({ port: 7, workers: 2 });
    const other = file("other.json", { port: 9 });
    expect(readSettings(["--config", other], { SORTIE_CONFIG: config }).port).toBe(9);
  });

  it("take switches from every source", () => {
    const tls = { tls: true, "tls-cert": file("c.pem", "c"), "tls-key": file("k.pem", "k") };
    expect(readSettings(["--config", file("tls.json", tls)], {})).toMatchObject({
      tls: true,
      tlsCert: tls["tls-cert"],
    });
    expect(readSettings(["--log-to-console"], {}).logToConsole).toBe(true);
    for (const word of ["true", "1", "YES", "on"]) {
      expect(readSettings([], { SORTIE_LOG_TO_CONSOLE: word }).logToConsole).toBe(true);
    }
    expect(
      readSettings(["--config", file("on.json", { "log-to-console": true })], { SORTIE_LOG_TO_CONSOLE: "off" })
        .logToConsole,
    ).toBe(false);
    expect(faultsOf([], { SORTIE_TLS: "maybe" })).toEqual([
      expect.stringContaining('SORTIE_TLS is "maybe"; allowed: true or false'),
    ]);
  });

  it("hold the message limit between 4096 bytes and 2 GiB less 1 MiB", () => {
    const limit = (...args: string[]) => readSettings(args, {}).maxMessageBytes;
    expect(limit("--max-message-mb", "16")).toBe(16 * 1024 * 1024);
    expect(limit("--max-message-mb", "0")).toBe(4096);
    expect(limit("--max-message-mb", "99999")).toBe(2047 * 1024 * 1024);
    expect(limit("--max-message-bytes", "99999999999")).toBe(2047 * 1024 * 1024);
    expect(limit("--max-message-bytes", "4096")).toBe(4096);
    expect(faultsOf(["--max-message-bytes", "4095"])).toEqual([
      '--max-message-bytes is "4095"; allowed: a whole number, 4096 or more (more than 2146435072 counts as 2146435072) (--max-message-bytes, SORTIE_MAX_MESSAGE_BYTES)',
    ]);
  });

  it("prefer bytes to MiB within a source, and the stronger source between two", () => {
    expect(readSettings(["--max-message-mb", "1", "--max-message-bytes", "5000"], {}).maxMessageBytes).toBe(5000);
    expect(readSettings(["--max-message-mb", "1"], { SORTIE_MAX_MESSAGE_BYTES: "5000" }).maxMessageBytes).toBe(
      1024 * 1024,
    );
  });

  it("understand -v and -q, and a level before either", () => {
    expect(readSettings(["-q"], {}).logLevel).toBe("warn");
    expect(readSettings(["-v"], { SORTIE_LOG_LEVEL: "error" }).logLevel).toBe("info");
    expect(readSettings(["-q", "--log-level", "trace"], {}).logLevel).toBe("trace");
  });

  it("report every fault at once, with the place, the value and what is allowed", () => {
    const config = file("faults.json", { prot: 1, workers: "many" });
    const faults = faultsOf(
      ["--prot", "5", "-p", "70000", "--config", config, "extra", "--ttl", "-1", "--log-level", "--quiet", "--host"],
      { SORTIE_WORKRES: "3", SORTIE_QUEUE_LIMIT: "ten", CUOPT_GRPC_ARGS: "--wrokers 2" },
    );
    expect(faults).toEqual([
      "--prot is not a flag; did you mean --port?",
      '"5" is not a flag; flags begin with --',
      '"extra" is not a flag; flags begin with --',
      "--log-level needs a value: one of fatal, error, warn, info, debug, trace, silent",
      "--host needs a value: an address or a host name of this machine",
      "SORTIE_WORKRES is not a setting; did you mean SORTIE_WORKERS?",
      `"prot" in ${config} is not a setting; did you mean port?`,
      "CUOPT_GRPC_ARGS: --wrokers is not a flag; did you mean --workers?",
      'CUOPT_GRPC_ARGS: "2" is not a flag; flags begin with --',
      '-p is "70000"; allowed: a whole number from 0 to 65535 (0 picks a free port) (--port, SORTIE_PORT)',
      `"workers" in ${config} is "many"; allowed: a whole number from 1 to 256 (--workers, SORTIE_WORKERS)`,
      'SORTIE_QUEUE_LIMIT is "ten"; allowed: a whole number from 1 to 1000000 (--queue-limit, SORTIE_QUEUE_LIMIT)',
      '--ttl is "-1"; allowed: a number above 0 and at most 87600 (--ttl, SORTIE_TTL)',
    ]);
  });

  it("refuse half of what TLS needs", () => {
    const cert = file("cert.pem", "c");
    const key = file("key.pem", "k");
    expect(faultsOf(["--tls", "--tls-cert", cert])).toEqual([
      "--tls needs --tls-key (SORTIE_TLS_KEY), which is not set",
    ]);
    expect(faultsOf(["--tls", "--tls-key", key])).toEqual([
      "--tls needs --tls-cert (SORTIE_TLS_CERT), which is not set",
    ]);
    const tls = ["--tls", "--tls-cert", cert, "--tls-key", key];
    expect(faultsOf([...tls, "--require-client-cert"])).toEqual([
      "--require-client-cert needs --tls-root (SORTIE_TLS_ROOT), which is not set",
    ]);
    expect(faultsOf(["--require-client-cert", "--tls-root", cert])).toEqual([
      "--require-client-cert has no meaning without --tls",
    ]);
    expect(faultsOf([...tls, "--tls-root", join(folder, "none.pem")])).toEqual([
      expect.stringMatching(/^--tls-root \(SORTIE_TLS_ROOT\) is ".*none.pem", which cannot be read: ENOENT/),
    ]);
    expect(faultsOf([...tls, "--tls-root", cert, "--require-client-cert"])).toEqual([]);
    expect(faultsOf([...tls, "--tls-root", cert, "--tls-tenant", "cn"])).toEqual([]);
    for (const flags of [[], tls, ["--tls-root", cert]]) {
      expect(faultsOf([...flags, "--tls-tenant", "cn"])).toEqual([
        expect.stringContaining("--tls-tenant cn needs --tls and --tls-root"),
      ]);
    }
  });

  it("refuse a file that is not one JSON object", () => {
    expect(faultsOf(["--config", join(folder, "absent.json")])).toEqual([
      expect.stringContaining("cannot be read: ENOENT"),
    ]);
    expect(faultsOf(["--config", file("broken.json", "{")])).toEqual([expect.stringContaining("cannot be read")]);
    expect(faultsOf(["--config", file("list.json", [])])).toEqual([
      expect.stringContaining("must hold one JSON object"),
    ]);
  });

  it("leave the variables of other programs alone", () => {
    expect(faultsOf([], { SORTIE_TEST_DATA: "x", SORTIE_PORT: "", PATH: "y" })).toEqual([]);
  });

  it("warn of an address that others can reach, and of what has no effect", () => {
    const warnings = (...args: string[]) => readSettings(args, {}).warnings;
    const [cert, key] = [file("w.pem", "c"), file("wk.pem", "k")];
    const tls = ["--tls", "--tls-cert", cert, "--tls-key", key, "--tls-root", cert];
    for (const host of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) expect(warnings("--host", host)).toEqual([]);
    expect(warnings("--host", "0.0.0.0")).toEqual([
      expect.stringContaining("listening on 0.0.0.0: in clear text anyone"),
    ]);
    expect(warnings("--host", "::", ...tls)).toEqual([expect.stringContaining("without --require-client-cert anyone")]);
    expect(warnings("--host", "::", ...tls, "--require-client-cert")).toEqual([]);
    expect(warnings("--host", "::", ...tls, "--require-token")).toEqual([]);
    expect(warnings("--host", "::", ...tls, "--tls-tenant", "cn")).toEqual([]);
    expect(warnings("--host", "::", "--require-token")).toEqual([
      expect.stringContaining("in clear text anyone who sees the traffic can read tokens"),
    ]);
    expect(warnings("--tls-cert", cert)).toEqual([expect.stringContaining("no effect without --tls")]);
    expect(warnings("--chunk-timeout", "9")).toEqual([expect.stringContaining("--chunk-timeout has no effect")]);
    expect(readSettings([], { CUOPT_SERVER_TYPE: "rest" }).warnings).toHaveLength(1);
  });

  it("each have a flag and a variable of their own, and a default that is allowed", () => {
    expect(new Set(SETTING_KEYS.map(variableOf)).size).toBe(SETTING_KEYS.length);
    for (const key of SETTING_KEYS) {
      const row = SETTINGS[key];
      const fallback = row.default();
      if (fallback === undefined || fallback === "") continue; // None, or settled from the environment.
      expect([key, row.schema.safeParse(fallback).success]).toEqual([key, true]);
    }
  });
});
