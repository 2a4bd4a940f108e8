// Rules of the data directory: one server, a known format, copies while it is in use.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockDataDir, openLocalPlatform } from "./data-dir.ts";

let folder: string;
let dataDir: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sortie-data-"));
  dataDir = join(folder, "data");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A process that tries to lock the data directory, says "locked" or why not, and holds on. */
function locker(): { child: ChildProcess; said: Promise<string> } {
  const module = new URL("./data-dir.ts", import.meta.url).href;
  const program = `
    import { lockDataDir } from ${JSON.stringify(module)};
    let said = "locked";
    try { globalThis.lock = lockDataDir(${JSON.stringify(dataDir)}); } catch (error) { said = error.reason + ": " + error.message; }
    process.send(said);
    setInterval(() => {}, 1000);
    process.on("disconnect", () => process.exit());
  `;
  const child = fork("-", [], {
    execArgv: ["--conditions=sortie-source", "--no-warnings", "--input-type=module", "-e", program],
  });
  return { child, said: once(child, "message").then(([text]) => text as string) };
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

describe("lockDataDir", () => {
  it("refuses a second server and names the first", async () => {
    const { child, said } = locker();
    expect(await said).toBe("locked");
    expect(() => lockDataDir(dataDir)).toThrow(
      expect.objectContaining({
        reason: "data-directory-in-use",
        message: expect.stringMatching(new RegExp(`${dataDir} is in use by the server with process id ${child.pid}`)),
      }),
    );
    await kill(child);
  });

  it("refuses a second server in the same process too", () => {
    using _ = lockDataDir(dataDir);
    expect(() => lockDataDir(dataDir)).toThrow(new RegExp(`process id ${process.pid}`));
  });

  it("vanishes with a server that is killed", async () => {
    for (let round = 0; round < 3; round += 1) {
      const { child, said } = locker();
      expect(await said).toBe("locked");
      await kill(child);
      using _ = lockDataDir(dataDir);
    }
  });

  it("can be taken again once it is released", () => {
    const first = lockDataDir(dataDir);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    using second = lockDataDir(dataDir);
    expect(second.dataDir).toBe(dataDir);
  });

  it("exactly one of several servers that start at once wins", async () => {
    for (let round = 0; round < 2; round += 1) {
      const lockers = Array.from({ length: 5 }, locker);
      const said = await Promise.all(lockers.map((one) => one.said));
      expect(said.filter((text) => text === "locked")).toHaveLength(1);
      expect(said.filter((text) => text.startsWith("data-directory-in-use"))).toHaveLength(4);
      await Promise.all(lockers.map(({ child }) => kill(child)));
    }
  });
});

describe("openLocalPlatform", () => {
  it("makes the directory, and finds in it later what was put there", async () => {
    const first = await openLocalPlatform({ dataDir });
    await first.table.write({ pk: "p", sk: "s" }, { set: { a: 1 } }, []);
    const ref = await first.blobs.put("a/b", [Buffer.from("bytes")]);
    await first.close();
    const second = await openLocalPlatform({ dataDir, durability: "power" });
    expect((await second.table.get({ pk: "p", sk: "s" }))?.attributes).toEqual({ a: 1 });
    const target = new Uint8Array(5);
    await second.blobs.readInto(ref, 0, target);
    expect(Buffer.from(target).toString()).toBe("bytes");
    await second.close();
  });

  it("can be opened by several at once, also the first time", async () => {
    const platforms = await Promise.all([1, 2, 3].map(() => openLocalPlatform({ dataDir })));
    await Promise.all(platforms.map((platform) => platform.close()));
    expect(JSON.parse(await readFile(join(dataDir, "format.json"), "utf8"))).toEqual({ format: 1 });
  });

  it("refuses a directory of a newer format", async () => {
    await (await openLocalPlatform({ dataDir })).close();
    await writeFile(join(dataDir, "format.json"), '{"format": 2}');
    await expect(openLocalPlatform({ dataDir })).rejects.toThrow(/format\.json says format 2 .* up to 1/);
  });

  it("refuses a directory whose format cannot be read", async () => {
    await (await openLocalPlatform({ dataDir })).close();
    await writeFile(join(dataDir, "format.json"), "rubbish");
    await expect(openLocalPlatform({ dataDir })).rejects.toMatchObject({ reason: "stored-object-corrupt" });
  });

  it("refuses a directory that is a file", async () => {
    await writeFile(dataDir, "");
    await expect(openLocalPlatform({ dataDir })).rejects.toThrow(dataDir);
    expect(() => lockDataDir(dataDir)).toThrow(dataDir);
  });

  it("a backup is a data directory of its own, and later changes do not reach it", async () => {
    const platform = await openLocalPlatform({ dataDir });
    const ref = await platform.blobs.put("jobs/1/a", [Buffer.from("bytes")]);
    await platform.table.write({ pk: "p", sk: "s" }, { set: { ref: { ...ref } } }, []);
    const copy = join(folder, "copy");
    await platform.backup(copy);
    await platform.blobs.deletePrefix("jobs/");
    await platform.table.deleteRange("p", "");
    await platform.close();
    await rm(dataDir, { recursive: true });
    const restored = await openLocalPlatform({ dataDir: copy });
    expect((await restored.table.get({ pk: "p", sk: "s" }))?.attributes["ref"]).toEqual(ref);
    const target = new Uint8Array(5);
    await restored.blobs.readInto(ref, 0, target);
    expect(Buffer.from(target).toString()).toBe("bytes");
    await restored.close();
  });

  it("refuses to back up into a folder that holds something, and leaves that alone", async () => {
    const platform = await openLocalPlatform({ dataDir });
    const copy = join(folder, "copy");
    await platform.backup(copy);
    const before = await readdir(copy, { recursive: true });
    await expect(platform.backup(copy)).rejects.toMatchObject({ reason: "invalid-argument" });
    expect(await readdir(copy, { recursive: true })).toEqual(before);
    await platform.close();
  });
});
