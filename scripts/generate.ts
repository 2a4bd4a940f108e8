// Generates packages/wire/src/gen from proto/, and packages/pipeline/src/gen from proto/onnx, with buf and
// protoc-gen-es, both from node_modules and without network; and the client's typed settings from the solver's catalogue.
//
// Usage: npm run generate            writes the generated code
//        npm run generate -- --check generates elsewhere and fails if the result differs from what is there
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { clientSettingsSource } from "./client-settings.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Where generated code goes, by which template, and from which part of proto/. */
const OUTPUTS = [
  { folder: join("packages", "wire", "src", "gen"), options: ["--exclude-path", "proto/onnx"] },
  {
    folder: join("packages", "pipeline", "src", "gen"),
    options: ["--template", "buf.gen.onnx.yaml", "--path", "proto/onnx"],
  },
];

/** Runs `buf generate` for every output, below `base`. */
function generate(base: string): void {
  for (const { options } of OUTPUTS) runBuf(base, options);
}

function runBuf(base: string, options: readonly string[]): void {
  const bin = join(root, "node_modules", ".bin");
  const result = spawnSync(
    process.execPath,
    [join(root, "node_modules", "@bufbuild", "buf", "bin", "buf"), "generate", "--output", base, ...options],
    {
      cwd: root,
      stdio: "inherit",
      // The plugin is a script with a `node` line: let it find this very Node.
      env: { ...process.env, PATH: [dirname(process.execPath), bin, process.env["PATH"]].join(delimiter) },
    },
  );
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`buf generate failed with exit code ${result.status}`);
}

const CLIENT_SETTINGS = join("packages", "client", "src", "setting-fields.ts");

/** The client's settings, formatted as the rest of the sources. */
function clientSettings(): string {
  const result = spawnSync(
    process.execPath,
    [join(root, "node_modules/@biomejs/biome/bin/biome"), "format", `--stdin-file-path=${CLIENT_SETTINGS}`],
    { cwd: root, input: clientSettingsSource(), encoding: "utf8", stdio: ["pipe", "pipe", "inherit"] },
  );
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`biome format failed with exit code ${result.status}`);
  return result.stdout;
}

/** All files below `folder`: path relative to it (with forward slashes) → content. */
function readTree(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(relative(folder, path).split(sep).join("/"), readFileSync(path, "utf8"));
  }
  return files;
}

function differences(committed: Map<string, string>, fresh: Map<string, string>): string[] {
  const lines: string[] = [];
  for (const [path, text] of fresh) {
    const old = committed.get(path);
    if (old === undefined) lines.push(`missing: ${path}`);
    else if (old !== text) lines.push(`differs: ${path}`);
  }
  for (const path of committed.keys()) if (!fresh.has(path)) lines.push(`not generated any more: ${path}`);
  return lines.sort();
}

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
if (values.check) {
  const base = mkdtempSync(join(tmpdir(), "sortie-generate-"));
  try {
    generate(base);
    for (const { folder } of OUTPUTS) {
      const lines = differences(readTree(join(root, folder)), readTree(join(base, folder)));
      if (lines.length > 0) {
        process.stderr.write(`${folder} is not what proto/ generates; run \`npm run generate\`:\n`);
        for (const line of lines) process.stderr.write(`  ${line}\n`);
        process.exitCode = 1;
      } else {
        process.stdout.write(`${folder} is up to date\n`);
      }
    }
    if (readFileSync(join(root, CLIENT_SETTINGS), "utf8") === clientSettings()) {
      process.stdout.write(`${CLIENT_SETTINGS} is up to date\n`);
    } else {
      process.stderr.write(`${CLIENT_SETTINGS} is not what the catalogue says; run \`npm run generate\`\n`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
} else {
  generate(root);
  writeFileSync(join(root, CLIENT_SETTINGS), clientSettings());
}
