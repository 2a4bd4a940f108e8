// The embedded platform on a disk that is full: what was kept stays, what does not fit is refused in words, and once
// there is room it goes on. Needs a small disk of its own, which Linux gives to anybody in a mount namespace.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { tempFolders } from "./helpers/temp.ts";

const MOUNT = 'mount -t tmpfs -o size=6m none "$0"';
const inNamespace = (folder: string, command: string, ...args: string[]) =>
  spawnSync("unshare", ["-rm", "sh", "-c", `${MOUNT} && ${command}`, folder, ...args], { encoding: "utf8" });
const canMount = inNamespace("/tmp", "true").status === 0;

const tempFolder = tempFolders();

describe("on a full disk", () => {
  it.skipIf(!canMount)("nothing kept is lost, what does not fit is refused, and the platform recovers", async () => {
    const disk = await tempFolder();
    const script = fileURLToPath(new URL("./helpers/full-disk-process.ts", import.meta.url));
    const flags = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
    const run = inNamespace(disk, 'exec "$@"', process.execPath, ...flags, script, disk);
    expect(run.stderr).toBe("");
    const seen = JSON.parse(run.stdout);
    expect(seen.caught.put).toEqual({ reason: "disk-full", message: expect.stringContaining("blob large") });
    expect(seen.afterPut).toEqual({ aside: [] });
    expect(seen.caught.write).toEqual({
      reason: "disk-full",
      message: expect.stringContaining(join(disk, "data", "sortie.sqlite")),
    });
    // A write that does not fit takes no read beside it along.
    expect(seen.beside).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(seen.kept).toBe(2);
    expect(seen.small).toBe("fits again");
  });
});
