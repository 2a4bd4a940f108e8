// An inbox in a folder: it is listed again and again (which works on every file system), and a file counts once it has not
// changed for a while, so that one that is still being written is never read. Taken files go to done/, answers to outbox/.
import { constants, createWriteStream, type Dirent } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Caller, CallOptions, Context, JobEvent } from "@sortie/core";
import { inboxName } from "./names.ts";
import { writeResults } from "./results.ts";
import type { Content, InboxStore } from "./store.ts";
import { submitFile, type Taken } from "./submit.ts";

export const OUTBOX = "outbox";
export const DONE = "done";

/** From one look at the folder to the next. */
const LOOK_MS = 500;
/** A file that has not changed for so long counts as written. */
const SETTLED_MS = 2_000;
/** What failed for a passing reason is tried again after so long. */
const AGAIN_MS = 10_000;

export interface FolderInboxOptions {
  readonly folder: string;
  readonly caller: Caller;
  /** Told of every file that was dealt with. */
  readonly onTaken?: ((path: string, taken: Taken) => void) | undefined;
  readonly maxBytes?: number | undefined;
  readonly lookMs?: number | undefined;
  readonly settledMs?: number | undefined;
}

/** A file as it was at the last look. */
interface Seen {
  readonly version: string;
  readonly bytes: number;
  readonly modified: number;
  /** When it was seen so first. */
  readonly since: number;
  /** Not to be tried before. */
  readonly notBefore: number;
}

export class FolderInbox {
  readonly #options: FolderInboxOptions;
  readonly #store: InboxStore;
  #seen = new Map<string, Seen>();

  private constructor(options: FolderInboxOptions) {
    this.#options = options;
    this.#store = folderStore(options.folder);
  }

  /** Makes the folder if it is not there. @throws the file system's error */
  static async open(options: FolderInboxOptions): Promise<FolderInbox> {
    await mkdir(join(options.folder, OUTBOX), { recursive: true });
    return new FolderInbox(options);
  }

  /** Takes files until the signal aborts. */
  async run(context: Context, signal: AbortSignal): Promise<void> {
    let failing = false;
    while (!signal.aborted) {
      try {
        await this.look(context, signal);
        failing = false;
      } catch (error) {
        // A folder that is away is told once.
        if (!failing && !signal.aborted) context.onFault(`looking into the inbox ${this.#options.folder}`, error);
        failing = true;
      }
      await context.clock.sleep(this.#options.lookMs ?? LOOK_MS, signal).catch(() => undefined);
    }
  }

  /** Writes the answer of a job that came from here. Rejects if it cannot be written: to be told again. */
  async tell(context: Pick<Context, "table" | "blobs">, event: JobEvent): Promise<void> {
    await writeResults(context, this.#store, event);
  }

  /** Looks once: what has settled is taken, the oldest first. */
  async look(context: Context, signal?: AbortSignal): Promise<void> {
    const { folder, settledMs = SETTLED_MS } = this.#options;
    const now = context.clock.now();
    const before = this.#seen;
    const found = new Map<string, Seen>();
    for await (const path of modelsIn(folder, "")) {
      const seen = await seenNow(join(folder, path), before.get(path), now);
      if (seen) found.set(path, seen);
    }
    this.#seen = found;
    const settled = [...found].filter(([, { since, notBefore }]) => now - since >= settledMs && now >= notBefore);
    for (const [path, seen] of settled.sort(([, a], [, b]) => a.modified - b.modified)) {
      signal?.throwIfAborted();
      try {
        await this.#take(context, path, seen, signal);
      } catch (error) {
        if (signal?.aborted) throw error;
        context.onFault(`taking ${path} from the inbox`, error);
        found.set(path, { ...seen, notBefore: context.clock.now() + AGAIN_MS });
      }
    }
  }

  async #take(context: Context, path: string, seen: Seen, signal?: AbortSignal): Promise<void> {
    const { folder, caller, maxBytes, onTaken } = this.#options;
    const isUnchanged = async () => (await seenNow(join(folder, path), undefined, 0))?.version === seen.version;
    const file = { path, version: seen.version, bytes: seen.bytes, isUnchanged };
    const taken = await submitFile(context, this.#store, caller, file, { signal, maxBytes });
    if (taken.kind === "left") return;
    // The model first: settings that are left behind harm less than a model without its settings.
    await moveToDone(folder, path);
    await moveToDone(folder, `${inboxName(path).stem}.json`);
    this.#seen.delete(path);
    onTaken?.(path, taken);
  }
}

const isHidden = (name: string): boolean => name.startsWith(".");

/** Model files below `folder`, as paths with slashes. */
async function* modelsIn(folder: string, below: string): AsyncGenerator<string> {
  let entries: Dirent[];
  try {
    entries = await readdir(join(folder, below), { withFileTypes: true });
  } catch (error) {
    // A subfolder may go while others are listed; the inbox itself may not.
    if (below !== "" && (error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  for (const entry of entries) {
    if (isHidden(entry.name) || (below === "" && (entry.name === OUTBOX || entry.name === DONE))) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* modelsIn(folder, path);
    else if (entry.isFile() && ["model", "foreign"].includes(inboxName(path).kind)) yield path;
  }
}

async function seenNow(file: string, before: Seen | undefined, now: number): Promise<Seen | undefined> {
  try {
    const { size, mtimeMs } = await stat(file);
    const version = `${size}-${mtimeMs}`;
    if (before?.version === version) return before;
    return { version, bytes: size, modified: mtimeMs, since: now, notBefore: 0 };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function moveToDone(folder: string, path: string): Promise<void> {
  const target = join(folder, DONE, path);
  await mkdir(dirname(target), { recursive: true });
  try {
    await rename(join(folder, path), target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function folderStore(folder: string): InboxStore {
  let written = 0;
  return {
    async readInbox(path, { signal }: CallOptions = {}) {
      try {
        // A link could lead to what only the server may read.
        const handle = await open(join(folder, path), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
        return handle.createReadStream({ highWaterMark: 1024 * 1024, signal });
      } catch (error) {
        if (["ENOENT", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
        throw error;
      }
    },
    async writeOutbox(path: string, content: Content, { signal }: CallOptions = {}) {
      const target = join(folder, OUTBOX, path);
      await mkdir(dirname(target), { recursive: true });
      written += 1;
      const aside = `${target}.${process.pid}-${written}.part`;
      try {
        await pipeline(Readable.from(content, { objectMode: true }), createWriteStream(aside), { signal });
        await rename(aside, target);
      } catch (error) {
        await rm(aside, { force: true });
        throw error;
      }
    },
    async removeOutbox(path) {
      await rm(join(folder, OUTBOX, path), { force: true });
    },
  };
}
