// A folder that a real server watches: files are dropped, answers appear, whatever happens to the server in between.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import { AFIRO_OBJECTIVE } from "../conformance/models.ts";
import { Session } from "../conformance/session.ts";
import { until } from "../conformance/until.ts";

const data = (name: string): string => fileURLToPath(new URL(`../data/lp/${name}.mps.gz`, import.meta.url));

let inbox: string;
let server: EmbeddedServer;
beforeEach(() => {
  inbox = mkdtempSync(join(tmpdir(), "sortie-inbox-"));
  server = new EmbeddedServer(["--workers", "1", "--inbox", inbox]);
});
afterEach(async () => {
  await server.dispose();
  rmSync(inbox, { recursive: true, force: true });
});

const at = (path: string): string => join(inbox, path);
function drop(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
}
const appears = (path: string) => until(() => existsSync(at(path)), path);
const json = (path: string) => JSON.parse(readFileSync(at(path), "utf8"));

async function jobs() {
  const session = new Session(createConnectTransport({ baseUrl: server.url(), httpVersion: "1.1" }), () => undefined);
  return (await session.jobs.listJobs({})).jobs;
}

describe("the inbox", () => {
  it("solves what is dropped, with its settings, and says what is wrong with the rest", async () => {
    await server.start();
    drop("plans/egout.json", '{"mip_relative_gap": 0.05, "time_limit": 60}');
    copyFileSync(data("egout"), at("plans/egout.mps.gz"));
    drop("tiny.lp.gz", gzipSync("Minimize\n cost: 2 x\nSubject To\n least: x >= 3\nEnd\n"));
    drop("broken.mps", "NAME broken\nROWS\n N COST\n G R1\nCOLUMNS\n X COST one\nENDATA\n");
    // Renamed into place.
    copyFileSync(data("afiro"), at("afiro.part"));
    renameSync(at("afiro.part"), at("afiro.mps.gz"));
    await appears("outbox/afiro/afiro.json");
    expect(json("outbox/afiro/afiro.json")).toMatchObject({
      file: "afiro.mps.gz",
      state: "completed",
      kind: "lp",
      status: "optimal",
      objective: expect.closeTo(AFIRO_OBJECTIVE, 6),
      bound: expect.closeTo(AFIRO_OBJECTIVE, 4),
      timings: { solve: expect.any(Number) },
    });
    const solution = readFileSync(at("outbox/afiro/afiro.sol"), "utf8");
    expect(solution).toMatch(/^# Status: Optimal\n# Objective value: -464\.753/);
    expect(solution).toMatch(/^X01 80$/m);
    expect(readFileSync(at("outbox/afiro/afiro.log"), "utf8")).toContain("27 rows, 32 columns");

    await appears("outbox/tiny/tiny.json");
    expect(json("outbox/tiny/tiny.json")).toMatchObject({ file: "tiny.lp.gz", objective: expect.closeTo(6, 9) });
    await appears("outbox/plans/egout/egout.json");
    expect(json("outbox/plans/egout/egout.json")).toMatchObject({ kind: "mip", gap: expect.any(Number) });
    await appears("outbox/broken/broken.error.json");
    expect(json("outbox/broken/broken.error.json")).toMatchObject({
      state: "refused",
      error: expect.stringMatching(/^line 6, column/),
    });
    expect(existsSync(at("done/plans/egout.json")) && existsSync(at("done/broken.mps"))).toBe(true);
    expect((await jobs()).map(({ inboxFile }) => inboxFile).sort()).toEqual([
      "afiro.mps.gz",
      "plans/egout.mps.gz",
      "tiny.lp.gz",
    ]);
  });

  it("does not read half of a file", async () => {
    await server.start();
    const whole = gunzipSync(readFileSync(data("afiro")));
    // A file that stays as it is, put there after the other began, tells when the inbox has looked long enough.
    let bytes = 1;
    drop("afiro.mps", whole.subarray(0, bytes));
    drop("whole.nl", "g3 1 1 0");
    await until(() => {
      bytes = Math.min(bytes + 1, Math.ceil(whole.byteLength / 2));
      drop("afiro.mps", whole.subarray(0, bytes));
      return existsSync(at("outbox/whole/whole.error.json"));
    }, "the file that nobody writes to");
    expect(existsSync(at("outbox/afiro"))).toBe(false);
    drop("afiro.mps", whole);
    await appears("outbox/afiro/afiro.json");
    expect(existsSync(at("outbox/afiro/afiro.error.json"))).toBe(false);
    expect(await jobs()).toHaveLength(1);
  });

  it("takes what came while the server was down, and writes the answer of what ended while it was down", async () => {
    copyFileSync(data("egout"), at("egout.mps.gz"));
    await server.start();
    // Taken, and solved by a worker that outlives its server.
    await until(() => existsSync(at("done/egout.mps.gz")), "the file to be taken");
    await server.kill();
    copyFileSync(data("afiro"), at("afiro.mps.gz"));
    await server.start();
    await appears("outbox/egout/egout.json");
    await appears("outbox/afiro/afiro.json");
    expect(json("outbox/egout/egout.json")).toMatchObject({ state: "completed", status: "optimal" });
    expect(await jobs()).toHaveLength(2);
  });
});
