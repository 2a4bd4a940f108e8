#!/usr/bin/env node
// The `sortie` command: finds a supported Node and hands over to the program.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./launch.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(root, "src", "main.ts");
launch(existsSync(source) ? source : join(root, "dist", "main.js"), process.argv.slice(2));
