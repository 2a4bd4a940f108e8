// A folder as an inbox, on ports in memory and a clock that tests move; the jobs are not solved here.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { claimJob, deleteJob, listJobs, sweep } from "@sortie/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openWorld, type World } from "../../core/src/testing/world.ts";
import { FolderInbox } from "./folder.ts";
import type { Taken } from "./submit.ts";

const caller = { tenant: "local" };
const MODEL = `NAME TINY
ROWS
 N COST
 G R1
COLUMNS
 X COST 1 R1 1
RHS
 RHS R1 4
ENDATA
`;
/** The same model in CPLEX's LP format. */
const LP_MODEL = "Minimize\n COST: X\nSubject To\n R1: X >= 4\nEnd\n";
/** What bzip2 makes of `MODEL`. */
const BZIP2_MODEL =
  "QlpoOTFBWSZTWXXcX+oAABbeAAAQQAAkAC7nnuAgAFCjRkDRpkaET1MKYm0jDTOZ" +
  "IrTgKP4oTpU3G7ggVa4VCPRmxNvHFa1N6lZpMBHHFy+J/ISbdF3JFOFCQddxf6g=";

let folder: string;
let world: World;
let inbox: FolderInbox;
let taken: [string, Taken][];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sortie-inbox-"));
  world = openWorld({ jobs: 3 });
  await open();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function open(): Promise<void> {
  taken = [];
  inbox = await FolderInbox.open({ folder, caller, onTaken: (path, what) => taken.push([path, what]) });
  Object.assign(world, {
    events: { publish: (event: Parameters<FolderInbox["tell"]>[1]) => inbox.tell(world, event) },
  });
}

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}
const has = (path: string) => existsSync(join(folder, path));
const read = (path: string) => readFileSync(join(folder, path), "utf8");

/** Looks at the folder every half second of the clock. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed <= ms; passed += 500) {
    await inbox.look(world);
    if (passed < ms) await world.clock.advance(500);
  }
}

const jobs = async () => (await listJobs(world, caller, { limit: 100 })).jobs;

describe("a model file in the folder", () => {
  it("becomes a job once it has settled, with the settings beside it, and moves to done", async () => {
    put("plans/a.json", '{"time_limit": 60}');
    put("plans/a.mps", MODEL);
    await pass(1_500);
    expect(await jobs()).toEqual([]);
    await pass(1_000);
    const [job] = await jobs();
    expect(job).toMatchObject({
      kind: "lp",
      inboxFile: "plans/a.mps",
      work: { settings: { values: { time_limit: 60 } } },
    });
    expect(taken).toEqual([["plans/a.mps", { kind: "job", jobId: job?.id, created: true }]]);
    expect([has("plans/a.mps"), has("plans/a.json"), has("done/plans/a.mps"), has("done/plans/a.json")]).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  it("is not read while it is being written, however long that takes", async () => {
    for (let lines = 1; lines < 9; lines++) {
      put("a.mps", MODEL.split("\n").slice(0, lines).join("\n"));
      await pass(1_000);
    }
    expect(taken).toEqual([]);
    put("a.mps", MODEL);
    await pass(2_500);
    expect(taken).toMatchObject([["a.mps", { kind: "job" }]]);
  });

  it("makes one job, even if the server ended before it was moved away", async () => {
    put("a.mps", MODEL);
    await pass(2_500);
    renameSync(join(folder, "done/a.mps"), join(folder, "a.mps"));
    await open();
    await pass(2_500);
    expect(taken).toMatchObject([["a.mps", { kind: "job", created: false }]]);
    expect(await jobs()).toHaveLength(1);
    expect(has("a.mps")).toBe(false);
  });

  it("makes another job when it is put there anew", async () => {
    put("a.mps", MODEL);
    await pass(2_500);
    put("a.mps", MODEL);
    utimesSync(join(folder, "a.mps"), 1, 1);
    await pass(2_500);
    expect(await jobs()).toHaveLength(2);
  });

  it("that is broken gets one error file and holds up nobody", async () => {
    put("broken.mps", MODEL.replace(" G R1", " Q R1"));
    put("cut.mps.gz", "\x1f\x8b nothing that follows");
    put("settings.json", '{"time_limt": 1}');
    put("settings.mps", MODEL);
    put("other.nl", "g3 1 1 0");
    put("words.lp", "Minimize\n x\nSubject To\n x is large\nEnd\n");
    put("good.mps", MODEL);
    await pass(2_500);
    expect((await jobs()).map(({ inboxFile }) => inboxFile)).toEqual(["good.mps"]);
    expect(JSON.parse(read("outbox/broken/broken.error.json"))).toMatchObject({
      file: "broken.mps",
      state: "refused",
      error: expect.stringMatching(/^line 4, column/),
    });
    expect(JSON.parse(read("outbox/words/words.error.json"))).toMatchObject({
      error: expect.stringMatching(/^line 4, column/),
    });
    expect(read("outbox/settings/settings.error.json")).toContain("did you mean time_limit?");
    expect(read("outbox/other/other.error.json")).toContain(".mps, .qps and .lp are");
    expect(has("outbox/cut/cut.error.json")).toBe(true);
    expect(["broken.mps", "cut.mps.gz", "settings.mps", "other.nl"].map((path) => has(`done/${path}`))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(world.faults).toEqual([]);
  });

  it.each([
    ["mps.gz", gzipSync(MODEL)],
    ["mps.bz2", Buffer.from(BZIP2_MODEL, "base64")],
    ["lp", LP_MODEL],
    ["lp.gz", gzipSync(LP_MODEL)],
    ["qps", MODEL],
  ])("may be a .%s", async (ending, content) => {
    put(`model.${ending}`, content);
    await pass(2_500);
    expect((await jobs()).map(({ inboxFile }) => inboxFile)).toEqual([`model.${ending}`]);
    expect(has(`done/model.${ending}`)).toBe(true);
  });

  it("waits where it is while the queue is full", async () => {
    for (const name of ["a", "b", "c", "d"]) put(`${name}.mps`, MODEL.replace("TINY", name));
    await pass(3_000);
    expect(await jobs()).toHaveLength(3);
    expect(world.faults).toEqual([expect.stringMatching(/^taking \w\.mps from the inbox$/)]);
    for (const job of await jobs()) await deleteJob(world, caller, job.id);
    await pass(12_000);
    expect(taken).toHaveLength(4);
    expect(has("outbox/d/d.error.json")).toBe(false);
  });

  it("is left alone if it is a link, and settings that are one are not read", async () => {
    put("elsewhere/secret", MODEL);
    symlinkSync(join(folder, "elsewhere/secret"), join(folder, "a.mps"));
    symlinkSync(join(folder, "elsewhere/secret"), join(folder, "b.json"));
    put("b.mps", MODEL);
    await pass(3_000);
    expect(taken).toMatchObject([["b.mps", { kind: "job" }]]);
  });

  it("is left alone if it is hidden, no model, or an answer", async () => {
    for (const path of [".hidden.mps", "a.mps.part", "notes.txt", "outbox/x/x.mps", "done/y.mps", "b.json"])
      put(path, MODEL);
    await pass(3_000);
    expect(taken).toEqual([]);
    expect(has(".hidden.mps") && has("b.json")).toBe(true);
  });
});

describe("the answer of a job from the folder", () => {
  it("of a failed job says why, with the log, and takes away what an earlier model of this name left", async () => {
    put("outbox/a/a.sol", "old");
    put("a.mps", MODEL);
    await pass(2_500);
    expect(has("outbox/a/a.sol")).toBe(false);
    const [job] = await jobs();
    const attempt = await claimJob(world, String(job?.id), "w");
    attempt?.log("hello");
    await attempt?.fail("no memory");
    await sweep(world);
    expect(JSON.parse(read("outbox/a/a.error.json"))).toMatchObject({
      file: "a.mps",
      jobId: job?.id,
      state: "failed",
      error: "no memory",
    });
    expect(read("outbox/a/a.log")).toBe("hello\n");
  });

  it("is written later if it cannot be written now", async () => {
    put("a.mps", MODEL);
    await pass(2_500);
    put("outbox/a", "a file where a folder must be");
    const [job] = await jobs();
    await (await claimJob(world, String(job?.id), "w"))?.fail("no memory");
    await sweep(world);
    expect(world.faults).toEqual([expect.stringContaining("publishing an event")]);
    rmSync(join(folder, "outbox/a"));
    await world.clock.advance(6_000);
    await sweep(world);
    expect(has("outbox/a/a.error.json")).toBe(true);
  });

  it("of a deleted job says so", async () => {
    put("a.mps", MODEL);
    await pass(2_500);
    const [job] = await jobs();
    await deleteJob(world, caller, String(job?.id));
    await sweep(world);
    expect(JSON.parse(read("outbox/a/a.error.json"))).toMatchObject({
      state: "cancelled",
      error: "The job was deleted",
    });
  });
});
