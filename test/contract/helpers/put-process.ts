// A process that puts a large blob into the folder it is given, and tells its parent as soon as the first bytes of it
// are on disk. It never finishes by itself: the parent kills it.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { FileBlobs } from "@sortie/platform-local";

const folder = process.argv[2]!;
const blobs = await FileBlobs.open({ folder });
const part = Buffer.alloc(64 * 1024, 7);
// 64 GiB in one list of parts over the same memory: it cannot be done before the parent's signal comes.
void blobs
  .put(
    "torn",
    Array.from({ length: 1 << 20 }, () => part),
  )
  .catch(() => {});
const timer = setInterval(() => {
  const aside = join(folder, ".tmp");
  if (readdirSync(aside).some((name) => statSync(join(aside, name)).size > 0)) {
    clearInterval(timer);
    process.send!("writing");
  }
}, 1);
