// Blobs as files keep the promises of the port, and those that only files need: writers are killed here.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { open, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FileBlobs } from "@sortie/platform-local";
import { describe, expect, it } from "vitest";
import { describeBlobs } from "./blobs.suite.ts";
import { tempFolders } from "./helpers/temp.ts";

const tempFolder = tempFolders();

async function damage(folder: string, key: string, how: "flip" | "cut", offset: number): Promise<void> {
  const path = join(folder, key);
  if (how === "cut") return truncate(path, offset);
  await using handle = await open(path, "r+");
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, offset);
  byte[0] = byte[0]! ^ 0xff;
  await handle.write(byte, 0, 1, offset);
}

for (const durability of ["process", "power"] as const) {
  describeBlobs(`files, durability ${durability}`, async () => {
    const folder = await tempFolder();
    const blobs = await FileBlobs.open({ folder, durability });
    return { blobs, damage: (key, how, offset) => damage(folder, key, how, offset) };
  });
}

describe("Blobs as files", () => {
  const filesUnder = async (folder: string) =>
    (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());

  it("leaves no folder and no file of deleted blobs, and nothing of aborted puts", async () => {
    const folder = await tempFolder();
    await using blobs = await FileBlobs.open({ folder });
    await blobs.put("uploads/a/b/1", [Buffer.from("x")]);
    await blobs.put("uploads/a/2", [Buffer.from("x")]);
    await blobs.put("jobs/c/3", [Buffer.from("x")]);
    const abort = new AbortController();
    const put = blobs.put("jobs/c/4", [Buffer.alloc(20_000_000)], { signal: abort.signal });
    abort.abort();
    await expect(put).rejects.toThrow();
    await blobs.deletePrefix("uploads/");
    await blobs.delete("jobs/c/3");
    expect(await readdir(folder, { recursive: true })).toEqual([".tmp"]);
  });

  it("a put that is killed half way leaves no blob, and the next opening removes its remains", async () => {
    const folder = await tempFolder();
    const child: ChildProcess = fork(fileURLToPath(new URL("./helpers/put-process.ts", import.meta.url)), [folder], {
      execArgv: ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"],
    });
    const exit = once(child, "exit");
    // The child says so as soon as the file aside has some bytes; its put has many more to write.
    await once(child, "message");
    child.kill("SIGKILL");
    await exit;
    const left = await filesUnder(folder);
    expect(left.map((entry) => entry.parentPath)).toEqual([join(folder, ".tmp")]);
    await using blobs = await FileBlobs.open({ folder });
    expect(await blobs.stat("torn")).toBeUndefined();
    expect(await filesUnder(folder)).toEqual([]);
  });

  it("opening the store does not disturb a put that is under way elsewhere", async () => {
    const folder = await tempFolder();
    await using blobs = await FileBlobs.open({ folder });
    const put = blobs.put("slow", [Buffer.alloc(30_000_000, 1)]);
    await using second = await FileBlobs.open({ folder });
    const ref = await put;
    const target = new Uint8Array(10);
    await second.readInto(ref, 29_999_990, target);
    expect(target).toEqual(new Uint8Array(10).fill(1));
  });
});
