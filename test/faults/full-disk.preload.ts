// Loaded into a server before it starts: while the file named by FULL_DISK_WHILE exists, every write to a file through a
// handle fails as on a full disk. For machines on which a test cannot mount a small disk, and to fill it at any moment.
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";

const flag = process.env["FULL_DISK_WHILE"] ?? "";
await using some = await open("/dev/null");
const handles = Object.getPrototypeOf(some) as { writev(parts: readonly Uint8Array[]): Promise<unknown> };
const writev = handles.writev;
handles.writev = async function (parts) {
  if (!existsSync(flag)) return writev.call(this, parts);
  // A full disk takes a little before it refuses.
  await writev.call(this, [parts[0]!.subarray(0, 10)]);
  throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", errno: -28 });
};
