// Rules of search paths, and of configuration files on disk.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalFiles } from "../files/local.ts";
import { memoryFiles } from "../files/testing/memory.ts";
import { configFiles } from "./files.ts";
import { resolveConfig } from "./resolve.ts";
import { existingFolders, INITIAL_SEARCH_PATHS, updateSearchPaths } from "./search-paths.ts";

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "sortie-configs-")));
  for (const name of ["configs/trainrun", "configs/pipeline", "other", "outside"])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "configs/pipeline/p.yaml"), "metadata: {name: P}\n");
  writeFileSync(join(folder, "outside/secret.yaml"), "metadata: {name: S}\n");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const filesBelow = (...roots: string[]) => configFiles(new LocalFiles({ workingFolder: folder, roots }));
const files = () => filesBelow(".");

describe("search paths", () => {
  it("8. are replaced in order, absolute, duplicates kept", async () => {
    const given = [join(folder, "other"), "./configs/trainrun", "./configs/pipeline", "./other"];
    expect(await updateSearchPaths(INITIAL_SEARCH_PATHS, given, false, files())).toEqual({
      paths: [
        join(folder, "other"),
        join(folder, "configs/trainrun"),
        join(folder, "configs/pipeline"),
        join(folder, "other"),
      ],
      rejected: [],
    });
  });

  it("9. are appended once, by their resolved text", async () => {
    const first = await updateSearchPaths(INITIAL_SEARCH_PATHS, ["other", "configs"], true, files());
    expect(first.paths).toEqual(["./configs", join(folder, "other"), join(folder, "configs")]);
    expect((await updateSearchPaths(first.paths, ["./other"], true, files())).paths).toEqual(first.paths);
  });

  it("10. name what is no folder exactly as sent, and fall back when nothing is left", async () => {
    const given = ["gone", "./configs/pipeline/p.yaml", "", "a\0b"];
    expect(await updateSearchPaths(["x"], given, false, files())).toEqual({
      paths: ["./configs", "./configs/pipeline"],
      rejected: given,
    });
    expect(await updateSearchPaths(["x"], given, true, files())).toEqual({ paths: ["x"], rejected: given });
  });

  it("that no longer exist are passed over when looked through", async () => {
    expect(await existingFolders(["./configs", "gone"], files())).toEqual([join(folder, "configs")]);
  });

  it("outside the allowed folders are rejected, links resolved", async () => {
    const limited = filesBelow("configs");
    symlinkSync(join(folder, "outside"), join(folder, "configs/link"));
    const { paths, rejected } = await updateSearchPaths(
      [],
      ["other", "configs/pipeline", "configs/link", "configs/../other"],
      true,
      limited,
    );
    expect(paths).toEqual([join(folder, "configs/pipeline")]);
    expect(rejected).toEqual(["other", "configs/link", "configs/../other"]);
  });
});

describe("files outside the allowed folders", () => {
  it("do not exist, by whatever path", async () => {
    symlinkSync(join(folder, "outside/secret.yaml"), join(folder, "configs/link.yaml"));
    const options = {
      files: filesBelow("configs"),
      searchPaths: ["./configs"],
    };
    const resolve = (path: string) => resolveConfig({ configType: "pipeline", path, overrides: [] }, options);
    expect((await resolve("pipeline/p")).value).toMatchObject({ metadata: { name: "P" } });
    for (const path of [join(folder, "outside/secret.yaml"), "link"]) {
      await expect(resolve(path)).rejects.toMatchObject({ reason: "file-not-found" });
    }
    await expect(resolve("../outside/secret")).rejects.toMatchObject({ reason: "invalid-request" });
  });

  it("cannot be reached through a defaults list", async () => {
    writeFileSync(join(folder, "configs/d.yaml"), "defaults: [{../outside@_here_: secret}]\n");
    const options = { files: files(), searchPaths: ["./configs"] };
    await expect(resolveConfig({ configType: "pipeline", path: "d", overrides: [] }, options)).rejects.toMatchObject({
      reason: "composition",
    });
  });

  it("are listed below a folder", async () => {
    expect((await files().list(join(folder, "configs"))).toSorted()).toEqual(["pipeline/p.yaml"]);
  });
});

describe("a store of texts", () => {
  const store = configFiles(memoryFiles({ "configs/a.yaml": "x", "configs/pipeline/b.yaml": "y" }));

  it("has folders where keys have prefixes", async () => {
    expect(await store.folder("./configs")).toBe("/configs");
    expect(await store.folder("/configs/pipeline/")).toBe("/configs/pipeline");
    expect(await store.folder("configs/a.yaml")).toBeUndefined();
    expect(await store.folder("conf")).toBeUndefined();
    expect(await store.file("/configs/a.yaml")).toBe("/configs/a.yaml");
    expect(await store.read("/configs/a.yaml")).toBe("x");
    expect((await store.list("/configs")).toSorted()).toEqual(["a.yaml", "pipeline/b.yaml"]);
  });

  it("is not left through dots", async () => {
    for (const path of ["../two/x.yaml", "configs/../../two/x.yaml", "/../x"]) {
      expect(await store.file(path)).toBeUndefined();
      expect(await store.folder(path)).toBeUndefined();
      await expect(store.read(path)).rejects.toMatchObject({ reason: "file-not-found" });
    }
  });
});
