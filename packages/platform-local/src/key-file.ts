// A secret key in a file of its own: made when it is first asked for, and readable for its owner only.
import { randomBytes } from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { DomainError } from "@sortie/core";
import { codeOf, fileFault } from "./blob-files.ts";

const KEY_BYTES = 32;

/**
 * The key in this file, made if there is none. Many at once get the same one.
 * @param what names it in faults, e.g. "key of links"
 */
export async function openKeyFile(file: string, what: string): Promise<Buffer> {
  try {
    try {
      return await readKey(file);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
    // Written aside, so that nobody reads half a key; whoever names theirs first has made the key.
    const aside = `${file}.${randomBytes(8).toString("hex")}`;
    try {
      {
        await using handle = await open(aside, "wx", 0o600);
        await handle.writeFile(`${randomBytes(KEY_BYTES).toString("hex")}\n`);
        await handle.sync();
      }
      await link(aside, file).catch((error: unknown) => {
        if (codeOf(error) !== "EEXIST") throw error;
      });
    } finally {
      await rm(aside, { force: true });
    }
    return await readKey(file);
  } catch (error) {
    throw fileFault(error, `${what} ${file}`);
  }
}

async function readKey(file: string): Promise<Buffer> {
  const key = Buffer.from((await readFile(file, "utf8")).trim(), "hex");
  if (key.byteLength === KEY_BYTES) return key;
  throw new DomainError(
    "stored-object-corrupt",
    `${file} does not hold a key of ${KEY_BYTES} bytes in hex; remove it, and a new one is made`,
  );
}
