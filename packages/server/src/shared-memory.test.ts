// Rules of shared memory: parts of plain objects are copied, and nothing else is reached by a name.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { posixSharedMemory } from "./shared-memory.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-shm-"));
  writeFileSync(join(folder, "object"), Uint8Array.of(1, 2, 3, 4));
  symlinkSync(join(folder, "object"), join(folder, "link"));
  mkdirSync(join(folder, "folder"));
});
afterAll(() => rmSync(folder, { recursive: true }));

it("a part of an object is copied", async () => {
  expect(await posixSharedMemory(folder).read("object", 1, 2)).toEqual(Uint8Array.of(2, 3));
});

it.each(["nobody", "link", "folder"])("%s is no object", async (name) => {
  expect(await posixSharedMemory(folder).read(name, 0, 1)).toBeUndefined();
});

it("a part beyond the end is refused", async () => {
  await expect(posixSharedMemory(folder).read("object", 2, 4)).rejects.toThrow(/has 4 bytes/);
});
