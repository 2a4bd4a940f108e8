// Runs on a disk of a few megabytes: fills it through the embedded platform, frees it, goes on. Prints what it saw as
// one line of JSON.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openLocalPlatform } from "@sortie/platform-local";

const disk = process.argv[2]!;
const { table, blobs, close } = await openLocalPlatform({ dataDir: join(disk, "data") });
const caught: Record<string, { reason: unknown; message: string }> = {};
const note = (what: string) => (error: { reason: unknown; message: string }) => {
  caught[what] = { reason: error.reason, message: error.message };
};
const key = { pk: "p", sk: "row" };
await table.write(key, { set: { kept: 1 } }, []);

await blobs.put("large", [Buffer.alloc(64 * 2 ** 20)]).catch(note("put"));
const afterPut = { large: await blobs.stat("large"), aside: readdirSync(join(disk, "data", "blobs", ".tmp")) };

const filler = join(disk, "filler");
try {
  for (let size = 2 ** 20; size >= 4096; ) {
    try {
      writeFileSync(filler, Buffer.alloc(size), { flag: "a" });
    } catch {
      size >>= 1;
    }
  }
} catch {
  // Full now.
}
const text = "x".repeat(300_000);
for (let i = 0; i < 200 && !caught["write"]; i += 1) {
  await table.write({ pk: "p", sk: `${i}` }, { set: { text } }, []).catch(note("write"));
}
const beside = await Promise.allSettled([
  table.get(key),
  table.write({ pk: "p", sk: "more" }, { set: { text } }, []),
  table.get(key),
]);
rmSync(filler);
const result = await table.write(key, { increment: { kept: 1 } }, []);
const ref = await blobs.put("small", [Buffer.from("fits again")]);
const target = Buffer.alloc(ref.bytes);
await blobs.readInto(ref, 0, target);
await close();

console.log(
  JSON.stringify({
    caught,
    afterPut,
    beside: beside.map(({ status }) => status),
    kept: result.row?.attributes["kept"],
    small: target.toString(),
    format: readFileSync(join(disk, "data", "format.json"), "utf8"),
  }),
);
