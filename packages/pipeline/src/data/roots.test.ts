// Rules of files that clients name: only below the configured folders, whatever the path looks like.
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { localFiles } from "./roots.ts";
import { DataFolder } from "./testing/folder.ts";

let folder: DataFolder;
let root: string;
beforeEach(() => {
  folder = new DataFolder();
  root = join(folder.path, "data");
  for (const name of [
    "data/b.npy",
    "data/a.npy",
    "data/.hidden.npy",
    "data/sub/c.npy",
    "data/sub/deep/d.npy",
    "outside/secret.npy",
  ]) {
    folder.write(name, "x");
  }
});
afterEach(() => folder.remove());
const find = (pattern: string) => localFiles([root]).find(pattern);

describe("a path below the roots", () => {
  it("is found, relative or absolute, in the form it was asked for", async () => {
    expect(await find("a.npy")).toEqual(["a.npy"]);
    expect(await find("./sub/../a.npy")).toEqual(["a.npy"]);
    expect(await find(join(root, "a.npy"))).toEqual([join(root, "a.npy")]);
  });

  it.each<[string, string[]]>([
    ["*.npy", ["a.npy", "b.npy"]],
    ["*/*.npy", ["sub/c.npy"]],
    ["**/*.npy", ["a.npy", "b.npy", "sub/c.npy", "sub/deep/d.npy"]],
    ["**", ["a.npy", "b.npy", "sub/c.npy", "sub/deep/d.npy"]],
    ["sub/**/d.npy", ["sub/deep/d.npy"]],
    ["[b-z].npy", ["b.npy"]],
    [".*.npy", [".hidden.npy"]],
  ])("may be a pattern: %s", async (pattern, expected) => {
    expect(await find(pattern)).toEqual(expected);
  });

  it("is looked up below each root in turn", async () => {
    const files = localFiles([join(root, "sub"), root]);
    expect(await files.find("d.npy").catch((error: Error) => error.message)).toContain(
      "data file 'd.npy' not found below",
    );
    expect(await files.find("a.npy")).toEqual(["a.npy"]);
    await using source = await files.open("c.npy");
    expect(source.size).toBe(1);
  });

  it("that leads to nothing is not found", async () => {
    await expect(find("none.npy")).rejects.toMatchObject({ reason: "not-found" });
    await expect(find("*.mat")).rejects.toMatchObject({ reason: "not-found" });
    await expect(find("sub")).rejects.toMatchObject({ reason: "not-found" });
    await expect(localFiles([root]).open("none.npy")).rejects.toMatchObject({ reason: "not-found" });
  });
});

describe("a path that leads out", () => {
  it.each(["../outside/secret.npy", "sub/../../outside/secret.npy", "/etc/passwd", "..", "../*/secret.npy"])(
    "is refused: %s",
    async (path) => {
      await expect(find(path)).rejects.toMatchObject({ reason: "outside-roots" });
      await expect(localFiles([root]).open(path)).rejects.toMatchObject({ reason: "outside-roots" });
    },
  );

  it("through a link leads to nothing", async () => {
    symlinkSync(join(folder.path, "outside"), join(root, "link"));
    symlinkSync(join(folder.path, "outside/secret.npy"), join(root, "file.npy"));
    for (const path of ["link/secret.npy", "file.npy", "link/*.npy", "f*.npy"]) {
      await expect(find(path)).rejects.toMatchObject({ reason: "not-found" });
    }
    await expect(localFiles([root]).open("file.npy")).rejects.toMatchObject({ reason: "not-found" });
  });

  it("by a common beginning of names is refused", async () => {
    mkdirSync(`${root}-more`);
    await expect(find(`${root}-more/x.npy`)).rejects.toMatchObject({ reason: "outside-roots" });
  });

  it("is refused for every path where no root is configured", async () => {
    await expect(localFiles([]).find("a.npy")).rejects.toMatchObject({ reason: "outside-roots" });
  });

  it("links within the roots are followed, and endless ones end", async () => {
    symlinkSync(join(root, "sub/c.npy"), join(root, "near.npy"));
    symlinkSync(root, join(root, "sub/loop"));
    expect(await find("near.npy")).toEqual(["near.npy"]);
    expect((await find("**/*.npy")).length).toBe(5);
  });
});
