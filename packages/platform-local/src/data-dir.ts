// The data directory: its layout, its version, its lock, and what opens it.
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DomainError } from "@sortie/core";
import { codeOf, fileFault } from "./blob-files.ts";
import { FileBlobs } from "./file-blobs.ts";
import { isRunning, parseIdentity, thisProcess } from "./process-identity.ts";
import { isBusy } from "./sqlite-faults.ts";
import type { Durability } from "./sqlite-protocol.ts";
import { SqliteTable } from "./sqlite-table.ts";

/** Version of the layout below. A change of the tables alone raises the version inside the database instead. */
const FORMAT = 1;

/** Where things lie in a data directory. */
const layout = (dataDir: string) => ({
  format: join(dataDir, "format.json"),
  table: join(dataDir, "sortie.sqlite"),
  blobs: join(dataDir, "blobs"),
  linkKey: join(dataDir, "links.key"),
  logs: join(dataDir, "logs"),
  lock: join(dataDir, "lock.sqlite"),
  holder: join(dataDir, "server.json"),
});

/** The file that the worker processes of this data directory write their output to. */
export const workerLogFile = (dataDir: string): string => join(layout(resolve(dataDir)).logs, "workers.log");

export interface LocalPlatformOptions {
  /** Made if it does not exist. Any number of processes may open it; only one server may lock it. */
  readonly dataDir: string;
  /** Default "process". */
  readonly durability?: Durability | undefined;
}

export interface LocalPlatform {
  readonly table: SqliteTable;
  readonly blobs: FileBlobs;
  /**
   * Copies everything into a folder that is empty or does not exist yet, while everybody goes on: rows as they are at one
   * moment, and every blob they speak of. The folder can be opened as a data directory.
   */
  backup(toFolder: string): Promise<void>;
  close(): Promise<void>;
}

async function checkFormat(file: string): Promise<void> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    // Written aside first: another process may be opening the new directory as well.
    const aside = `${file}.${randomUUID()}`;
    await writeFile(aside, `${JSON.stringify({ format: FORMAT })}\n`);
    await rename(aside, file);
    return;
  }
  let format: unknown;
  try {
    format = (JSON.parse(text) as { format?: unknown } | null)?.format;
  } catch {
    // The number is missing: said below.
  }
  if (!Number.isInteger(format)) {
    throw new DomainError(
      "stored-object-corrupt",
      `${file} does not say {"format": ${FORMAT}}; found ${text.slice(0, 80)}`,
    );
  }
  if ((format as number) > FORMAT) {
    throw new DomainError(
      "unavailable",
      `${file} says format ${format} and this Sortie knows formats up to ${FORMAT}; use the newer Sortie that wrote it`,
    );
  }
}

/**
 * Opens the table and the blobs of a data directory.
 * @throws DomainError that names the file, if the directory cannot be used, is damaged, or was written by a newer version
 */
export async function openLocalPlatform({
  dataDir,
  durability = "process",
}: LocalPlatformOptions): Promise<LocalPlatform> {
  const paths = layout(resolve(dataDir));
  try {
    await mkdir(paths.logs, { recursive: true });
    await checkFormat(paths.format);
  } catch (error) {
    throw fileFault(error, `data directory ${dataDir}`);
  }
  const blobs = await FileBlobs.open({ folder: paths.blobs, durability, linkKeyFile: paths.linkKey });
  const table = await SqliteTable.open({ file: paths.table, durability });
  return {
    table,
    blobs,
    async backup(toFolder) {
      const target = layout(resolve(toFolder));
      try {
        await mkdir(toFolder, { recursive: true });
        const found = await readdir(toFolder);
        if (found.length > 0) {
          throw new DomainError("invalid-argument", `backup folder ${toFolder} is not empty: it holds ${found[0]}`);
        }
        // The table first: a blob is older than the row that names it, and goes before it only when it has expired.
        await table.backup(target.table);
        await blobs.backup(target.blobs);
        // Last, so that a backup that was cut off does not look whole.
        await writeFile(target.format, `${JSON.stringify({ format: FORMAT })}\n`);
      } catch (error) {
        throw fileFault(error, `backup to ${toFolder}`);
      }
    },
    async close() {
      await table[Symbol.asyncDispose]();
      await blobs[Symbol.asyncDispose]();
    },
  };
}

export interface DataDirLock extends Disposable {
  readonly dataDir: string;
}

function describeHolder(file: string): string {
  try {
    const holder = JSON.parse(readFileSync(file, "utf8")) as { process?: unknown };
    const identity = typeof holder.process === "string" ? parseIdentity(holder.process) : undefined;
    if (identity && isRunning(identity)) return `the server with process id ${identity.pid}`;
  } catch {
    // The holder has not written it yet.
  }
  return "another server";
}

/**
 * Makes this process the one server of the data directory, until the lock is disposed of or the process is gone, however
 * it went: the operating system holds the lock, on a file that SQLite has open.
 * @throws DomainError "data-directory-in-use" that names the process that has it
 */
export function lockDataDir(dataDir: string): DataDirLock {
  const root = resolve(dataDir);
  const paths = layout(root);
  let database: DatabaseSync;
  try {
    mkdirSync(root, { recursive: true });
    database = new DatabaseSync(paths.lock);
  } catch (error) {
    throw new DomainError("unavailable", `data directory ${dataDir} cannot be locked: ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    // Two servers that start at once may both hold a shared lock for a moment: one has to wait for the other to let go.
    database.exec("PRAGMA busy_timeout = 300");
    database.exec("BEGIN EXCLUSIVE");
    writeFileSync(paths.holder, `${JSON.stringify({ process: thisProcess })}\n`);
  } catch (error) {
    database.close();
    if (isBusy(error)) {
      throw new DomainError(
        "data-directory-in-use",
        `data directory ${dataDir} is in use by ${describeHolder(paths.holder)}; stop it or choose another --data`,
      );
    }
    throw fileFault(error, `data directory ${dataDir}`);
  }
  return {
    dataDir: root,
    [Symbol.dispose]() {
      if (database.isOpen) database.close();
    },
  };
}
