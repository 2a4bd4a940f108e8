// `sortie convert` and `sortie check` as a person uses them, and `sortie solve` on files of every format.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { parseMps } from "@sortie/solve";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const data = (name: string): string => join(root, "test/data/lp", `${name}.mps.gz`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-e2e-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function sortie(...args: string[]): Promise<Run> {
  const flags = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
  const child = spawn(process.execPath, [...flags, join(root, "packages/cli/src/main.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: folder },
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    err += text;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

const write = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

const infeasible = "min x\nst\n much: x + y >= 8\n little: x + y <= 3\nend\n";

describe("sortie convert", () => {
  it("turns MPS into LP and back into the same model, with a warning for names that LP cannot hold", async () => {
    const lp = join(folder, "egout.lp");
    const mps = join(folder, "back.mps.gz");
    const there = await sortie("convert", data("egout"), lp);
    expect(there).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^MIP, 98 rows, 141 columns .*; wrote .*egout\.lp, /),
    });
    expect(there.err).toMatch(
      /egout\.lp: 43 name\(s\) that LP format cannot hold are replaced, first: row "\.\.\." by c0;/,
    );
    expect(await sortie("convert", lp, mps)).toMatchObject({ code: 0, err: "" });
    expect(parseMps(gunzipSync(readFileSync(mps))).problem).toEqual(parseMps(readFileSync(data("egout"))).problem);
    expect(readdirSync(folder).sort()).toEqual(["back.mps.gz", "egout.lp"]);
  });

  it("refuses what the fixed layout cannot say, and leaves no file", async () => {
    const file = write("third.lp", "min x\nst\n c: 0.3333333333333333 x >= 1\nend\n");
    const { code, err } = await sortie("convert", file, join(folder, "third.mps"), "--layout", "fixed");
    expect(code).toBe(1);
    expect(err).toContain('the number 0.3333333333333333 of "c" needs 18 characters; the fixed layout has 12');
    expect(readdirSync(folder)).toEqual(["third.lp"]);
  });

  it("says what is wrong with its arguments", async () => {
    const [unknown, ending, bz2, missing] = await Promise.all([
      sortie("convert", data("afiro"), "a.lp", "--layuot", "free"),
      sortie("convert", data("afiro"), "a.txt"),
      sortie("convert", data("afiro"), "a.lp.bz2"),
      sortie("convert", data("afiro")),
    ]);
    expect(unknown).toMatchObject({
      code: 1,
      err: expect.stringContaining("--layuot is not an option; did you mean --layout?"),
    });
    expect(ending.err).toContain("a.txt: the ending tells no format; .mps, .qps and .lp are written");
    expect(bz2.err).toContain("bzip2 is only read; .gz is written");
    expect(missing.err).toContain("convert takes two files, IN and OUT; found 1");
  });
});

describe("sortie check", () => {
  it("tells sizes, ranges and mistakes, as text and as JSON", async () => {
    const file = write("odd.lp", "min x\nst\n a: x + 1e10 y >= 1\n b: 2 x + 2e10 y <= 9\nend\n");
    const [text, json] = await Promise.all([sortie("check", file), sortie("check", file, "--json")]);
    expect(text).toMatchObject({ code: 0, err: "" });
    expect(text.out).toContain("odd.lp: LP, 2 rows, 2 columns, 4 nonzeros\n");
    expect(text.out).toContain("  matrix     1 to 20000000000 in size\n");
    expect(text.out).toContain("warning: row that is a multiple of an earlier one: b of a\n");
    expect(JSON.parse(json.out)).toMatchObject({
      rows: 2,
      ranges: { matrix: { smallest: 1, largest: 2e10 } },
      findings: expect.arrayContaining([
        expect.objectContaining({ kind: "duplicate-row", count: 1, examples: ["b of a"] }),
      ]),
    });
  });

  it("tells with --why which bounds contradict each other", async () => {
    const { code, out } = await sortie("check", write("no.lp", infeasible), "--why");
    expect(out).toMatch(
      /why: 2 bound\(s\) contradict each other, and do not without any one of them \(\d+ solves\):\n {2}much: x \+ y >= 8\n {2}little: x \+ y <= 3\n$/,
    );
    expect(code).toBe(2);
  });

  it("tells a fault of the file by line and column, and a misspelt option", async () => {
    const file = write("bad.lp", "min x\nst\n c: x <= 3 y\nend\n");
    const [fault, option, gone] = await Promise.all([
      sortie("check", file),
      sortie("check", file, "--jason"),
      sortie("check", join(folder, "gone.lp")),
    ]);
    expect(fault).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining('bad.lp: line 3, column 12: found "y"'),
    });
    expect(option).toMatchObject({ code: 1, err: expect.stringContaining("did you mean --json?") });
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining("gone.lp: there is no such file") });
  });
});

describe("sortie solve", () => {
  it("takes LP format, and names faults in it", async () => {
    const good = write("toy.lp", "max 3 x + 2 y\nst\n a: x + y <= 4\n b: x + 3 y <= 6\nbounds\n x <= 3\nend\n");
    const bad = write("bad.lp", "max 3 x\nst\n a: x <=\nend\n");
    const [solved, refused] = await Promise.all([sortie("solve", good), sortie("solve", bad)]);
    expect(solved.out).toMatch(/^Status: Optimal {2}Objective: 11 /m);
    expect(solved.code).toBe(0);
    expect(refused).toMatchObject({
      code: 1,
      err: expect.stringContaining('bad.lp: line 4, column 1: found "end"; a number is needed'),
    });
  });

  it.skipIf(spawnSync("bzip2", ["--version"]).error !== undefined)("takes bzip2, whatever the name", async () => {
    const plain = gunzipSync(readFileSync(data("afiro")));
    const { stdout } = spawnSync("bzip2", ["-c"], { input: plain });
    const file = join(folder, "afiro.mps");
    writeFileSync(file, stdout);
    expect((await sortie("solve", file)).out).toMatch(/Objective: -464\.753/);
  });
});
