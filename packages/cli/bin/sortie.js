#!/usr/bin/env node
// The `sortie` command: finds a supported Node and hands over to the program.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./launch.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(root, "src", "main.ts");
const args = process.argv.slice(2);
// A server moves bytes and keeps little: a small young generation is collected often and costs it tens of MiB less.
const flags = args[0] === "serve" ? ["--max-semi-space-size=2"] : [];
launch(existsSync(source) ? source : join(root, "dist", "main.js"), args, flags);
