// DynamoDB and S3 for a bench, in a process of their own: prints their endpoints as JSON; ends with its standard input.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dynalite } from "../aws/emulators.ts";
import { startS3 } from "../aws/s3-emulator.ts";

const folder = mkdtempSync(join(tmpdir(), "sortie-bench-s3-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const tables = dynalite({ createTableMs: 0, deleteTableMs: 0 });
tables.listen(0, "127.0.0.1");
await once(tables, "listening");
const objects = await startS3(folder);
const table = `http://127.0.0.1:${(tables.address() as AddressInfo).port}`;
process.stdout.write(`${JSON.stringify({ table, objects: objects.endpoint })}\n`);

process.stdin.resume().once("close", () => process.exit(0));
