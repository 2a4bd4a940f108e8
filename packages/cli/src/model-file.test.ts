// Model files, and solutions that a search starts from.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeModel, fileLabel, kindOfModel, openModel, withStart } from "./model-file.ts";

const MODEL = "max\n obj: 2 x + 3 y\nst\n c: x + y <= 6.5\nbounds\n y <= 3\ngeneral\n y\nend\n";
const { signal } = new AbortController();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-model-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("a model file", () => {
  it("is read by its name, or as it is said to be", async () => {
    const model = await openModel(file("m.lp", MODEL), signal);
    expect(describeModel(model)).toBe("MIP, 1 rows, 2 columns (1 integer), 2 nonzeros");
    expect(await openModel(file("m.txt", MODEL), signal, "lp")).toEqual(model);
  });

  it.each([
    ["LP, 1 rows, 2 columns, 2 nonzeros", "", "", "lp"],
    ["QP, 1 rows, 2 columns, 2 nonzeros", " + [ x ^ 2 ] / 2", "", "qp"],
    ["MIP, 1 rows, 2 columns (1 semi-continuous), 2 nonzeros", "", "semi\n x\n", "mip"],
    ["MIP, 1 rows, 2 columns (1 integer, 1 semi-continuous), 2 nonzeros", "", "general\n y\nsemi\n x\n", "mip"],
    ["MIQP, 1 rows, 2 columns (1 integer), 2 nonzeros", " + [ x ^ 2 ] / 2", "general\n y\n", "miqp"],
  ])("is said to be: %s", async (words, quadratic, sections, kind) => {
    const text = `min\n obj: x + y${quadratic}\nst\n c: x + y >= 1\nbounds\n x <= 9\n${sections}end\n`;
    const model = await openModel(file("m.lp", text), signal);
    expect(describeModel(model)).toBe(words);
    expect(kindOfModel(model)).toBe(kind);
  });

  it("tells how much of it is read", async () => {
    const seen: unknown[] = [];
    await openModel(file("m.lp", MODEL), signal, undefined, (progress) => seen.push(progress));
    expect(seen.at(-1)).toEqual({ doneBytes: MODEL.length, totalBytes: MODEL.length });
  });

  it.each([
    ["nowhere.mps", undefined, /nowhere\.mps: there is no such file$/],
    ["broken.lp", "max: x", /broken\.lp: line 1, column \d+: /],
    [".", undefined, /cannot be read: it is a folder$/],
  ])("with a fault is refused in one line: %s", async (name, content, message) => {
    const path = content === undefined ? join(folder, name) : file(name, content);
    await expect(openModel(path, signal)).rejects.toThrow(message);
  });

  it("is called standard input where it is", () => {
    expect(fileLabel("-")).toBe("standard input");
    expect(fileLabel("a/b.mps")).toBe("b.mps");
  });
});

describe("a start", () => {
  const problem = async () => (await openModel(file("m.lp", MODEL), signal)).problem;

  it("has the values of a solution file, in the order of the variables", async () => {
    const text = "# Status: Optimal\n# Objective value: 13\ny 3\nx 2\n";
    expect((await withStart(await problem(), file("s.sol", text))).initialPrimal).toEqual(Float64Array.of(2, 3));
    expect((await withStart(await problem(), file("s.sol.gz", gzipSync(text)))).initialPrimal).toEqual(
      Float64Array.of(2, 3),
    );
  });

  it.each([
    ["x 2\n", /s\.sol: line 1: variable "y" missing/],
    ["# Status: Infeasible\n", /s\.sol: the solution is infeasible; it has no values to start from/],
  ])("is refused where it has none: %j", async (text, message) => {
    await expect(withStart(await problem(), file("s.sol", text))).rejects.toThrow(message);
  });

  it("is refused where there is no such file", async () => {
    await expect(withStart(await problem(), join(folder, "no.sol"))).rejects.toThrow(/no\.sol: there is no such file/);
  });
});
