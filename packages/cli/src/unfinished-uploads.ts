// Uploads that have begun and are not submitted yet, remembered on this machine: one small file each, so that another run of
// the program can go on with them.
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { ProblemMessage } from "@sortie/client";

export interface UnfinishedUpload {
  readonly uploadId: string;
  /** With which it was, or will be, submitted: a repeat finds the first job. */
  readonly idempotencyKey: string;
  /** For people: what was uploaded, where to, and since when (ISO 8601). */
  readonly model: string;
  readonly server: string;
  readonly begunAt: string;
}

/** No server keeps an upload that nobody touches for so long. */
const FORGET_AFTER_MS = 7 * 24 * 3600 * 1000;

export class UnfinishedUploads {
  readonly #folder: string;

  /** @param env for XDG_STATE_HOME; without it ~/.local/state */
  constructor(env: Readonly<Record<string, string | undefined>>) {
    const base = env["XDG_STATE_HOME"];
    const state = base && isAbsolute(base) ? base : join(homedir(), ".local", "state");
    this.#folder = join(state, "sortie", "uploads");
  }

  /** Undefined if there is none, or none that can be read. @param key as `keyOf` makes it */
  async find(key: string): Promise<UnfinishedUpload | undefined> {
    try {
      const { version, ...upload } = JSON.parse(await readFile(this.#file(key), "utf8"));
      const isOurs = version === 1 && typeof upload.uploadId === "string" && typeof upload.idempotencyKey === "string";
      return isOurs ? upload : undefined;
    } catch {
      return undefined;
    }
  }

  /** Takes the place of an earlier one under the same key. @throws the file system's error */
  async remember(key: string, upload: UnfinishedUpload): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const aside = `${this.#file(key)}.${randomUUID()}`;
    await writeFile(aside, `${JSON.stringify({ version: 1, ...upload })}\n`, { mode: 0o600 });
    await rename(aside, this.#file(key));
    await this.#forgetOld();
  }

  async forget(key: string): Promise<void> {
    await rm(this.#file(key), { force: true });
  }

  async #forgetOld(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const file = join(this.#folder, name);
      const found = await stat(file).catch(() => undefined);
      if (found && Date.now() - found.mtimeMs > FORGET_AFTER_MS) await rm(file, { force: true });
    }
  }

  #file(key: string): string {
    return join(this.#folder, `${key}.json`);
  }
}

/**
 * Says which uploads are the same: of this very problem with these settings, to this server, on behalf of whom the token
 * names. Other files that hold the same model count as the same.
 */
export function keyOf(problem: ProblemMessage, server: string, token: string | undefined): string {
  const { arrays, variableNames = [], rowNames = [], ...scalars } = problem;
  const hash = createHash("sha256");
  const tokenDigest = token === undefined ? undefined : createHash("sha256").update(token).digest("hex");
  // JSON has no infinities, and text keeps every bit of a number but the sign of zero, which makes no other problem.
  const plain = (_: string, value: unknown) => (typeof value === "number" ? String(value) : value);
  hash.update(JSON.stringify({ server, tokenDigest, ...scalars }, plain));
  for (const names of [variableNames, rowNames]) hash.update(`\nnames ${names.length}\n`).update(names.join("\0"));
  for (const [fieldId, array] of [...arrays].sort(([a], [b]) => a - b)) {
    hash.update(`\narray ${fieldId} ${array.byteLength}\n`).update(array);
  }
  return hash.digest("hex");
}
