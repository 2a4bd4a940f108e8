import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDynamo } from "../aws/emulators.ts";
import { startS3 } from "../aws/s3-emulator.ts";

const folder = mkdtempSync(join(tmpdir(), "sortie-bench-s3-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const tables = await startDynamo();
const objects = await startS3(folder);
process.stdout.write(`${JSON.stringify({ table: tables.endpoint, objects: objects.endpoint })}\n`);

process.stdin.resume().once("close", () => process.exit(0));
