// Rules of the files that clients name: only what lies below the roots exists, whatever path or link leads elsewhere.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalFiles } from "./local.ts";

let folder: string;
let files: LocalFiles;
const at = (...parts: string[]) => join(folder, ...parts);

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "sortie-files-")));
  mkdirSync(at("configs", "pipeline", "deep"), { recursive: true });
  mkdirSync(at("outside"));
  writeFileSync(at("configs", "pipeline", "a.yaml"), "a");
  writeFileSync(at("configs", "pipeline", "deep", "b.yaml"), "b");
  writeFileSync(at("outside", "secret"), "secret");
  symlinkSync(at("outside"), at("configs", "link"));
  symlinkSync(at("configs", "pipeline"), at("configs", "inner"));
  files = new LocalFiles({ roots: [at("configs")] });
});
afterEach(() => rmSync(folder, { recursive: true }));

const text = async (path: string) => new TextDecoder().decode(await files.read(path));

describe("reading", () => {
  it("follows links that stay inside", async () => {
    expect(await text(at("configs", "inner", "a.yaml"))).toBe("a");
    expect(await files.stat(at("configs", "inner"))).toEqual({ kind: "folder", path: at("configs", "pipeline") });
  });

  it.each([
    ["beside the roots", ["outside", "secret"]],
    ["behind a link that leads out", ["configs", "link", "secret"]],
    ["above by dots", ["configs", "..", "outside", "secret"]],
    ["that is not there", ["configs", "none"]],
    ["below a file", ["configs", "pipeline", "a.yaml", "x"]],
  ])("finds nothing %s", async (_, parts) => {
    const path = `${folder}/${parts.join("/")}`;
    expect(await files.stat(path)).toBeUndefined();
    await expect(files.read(path)).rejects.toMatchObject({ message: `File not found: ${path}` });
  });

  it("does not take a folder for a file", async () => {
    await expect(files.read(at("configs", "pipeline"))).rejects.toMatchObject({ message: /not found/ });
  });

  it("lists everything below a folder", async () => {
    expect(await files.list(at("configs", "pipeline"))).toEqual(["a.yaml", "deep/b.yaml"]);
    expect(await files.list(at("outside"))).toBeUndefined();
    expect(await files.list(at("configs", "none"))).toBeUndefined();
  });
});

describe("writing", () => {
  const bytes = new TextEncoder().encode("new");

  it("makes folders, replaces as a whole and leaves nothing aside", async () => {
    await files.write(at("configs", "x", "y", "c.yaml"), bytes);
    await files.write(at("configs", "x", "y", "c.yaml"), bytes);
    expect(readFileSync(at("configs", "x", "y", "c.yaml"), "utf8")).toBe("new");
    expect(readdirSync(at("configs", "x", "y"))).toEqual(["c.yaml"]);
  });

  it.each([
    ["beside the roots", ["outside", "c.yaml"]],
    ["through a link that leads out", ["configs", "link", "new", "c.yaml"]],
    ["above by dots", ["configs", "..", "outside", "c.yaml"]],
  ])("is refused %s, and makes no folder", async (_, parts) => {
    const path = `${folder}/${parts.join("/")}`;
    await expect(files.write(path, bytes)).rejects.toMatchObject({ message: /outside the folders/ });
    expect(readdirSync(at("outside"))).toEqual(["secret"]);
  });

  it("is allowed below every root", async () => {
    const more = new LocalFiles({ roots: [at("configs"), at("outside")] });
    await more.write(at("outside", "new", "c"), bytes);
    expect(readFileSync(at("outside", "new", "c"), "utf8")).toBe("new");
  });
});
