// Checks the stacks without an AWS account: fetches SST's platform into `.sst/` (once; needs npm's registry and nothing
// else), checks the types of sst.config.ts and stacks/ against SST's own, and runs the tests of test/stacks.
//
// SST is no dependency of the repository: it would add 96 MiB to every `npm ci` for the few who deploy. Its version is that
// of sst.config.ts.
//
// Usage: node scripts/test-stacks.ts [--prepare] [--update]    --prepare: fetch only
//                                                              --update: rewrite the lists in docs/deploy.md
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./packages.ts";

const platform = join(root, ".sst/platform");

/** What keeps SST to itself: no telemetry, no engine, no look for an account. */
const QUIET = {
  SST_SKIP_DEPENDENCY_CHECK: "1",
  SST_TELEMETRY_DISABLED: "1",
  SST_NO_BUN: "1",
  DO_NOT_TRACK: "1",
  AWS_EC2_METADATA_DISABLED: "true",
};

function versionOfSst(): string {
  const found = /^\s*version: "(\d+\.\d+\.\d+)",$/m.exec(readFileSync(join(root, "sst.config.ts"), "utf8"))?.[1];
  if (found === undefined) throw new Error("sst.config.ts says no version of SST");
  return found;
}

function isPrepared(version: string): boolean {
  const file = join(platform, "version");
  return (
    existsSync(file) &&
    readFileSync(file, "utf8").trim() === version &&
    existsSync(join(platform, "config.d.ts")) &&
    existsSync(join(platform, "node_modules/@pulumi/docker-build/package.json"))
  );
}

function step(
  name: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): void {
  process.stdout.write(`\n--- ${name}\n`);
  const shell = process.platform === "win32" && !command.endsWith(".exe");
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell,
    env: { ...process.env, ...env },
  });
  if (status === 0) return;
  process.stderr.write(`${name}: failed${error ? ` (${error.message})` : ""}\n`);
  process.exit(status ?? 1);
}

const flags = new Set(process.argv.slice(2));
const version = versionOfSst();
if (!isPrepared(version)) {
  step(`SST ${version}`, "npx", ["--yes", `sst@${version}`, "install", "--stage", "dev"], QUIET);
  if (!isPrepared(version)) {
    process.stderr.write(`.sst/platform is not that of SST ${version}; remove .sst and try again\n`);
    process.exit(1);
  }
}
if (!flags.has("--prepare")) {
  const node = (args: readonly string[], env?: Readonly<Record<string, string>>) =>
    [process.execPath, args, env] as const;
  step("types of the stacks", ...node(["node_modules/typescript/bin/tsc", "-p", "stacks/tsconfig.json"]));
  step(
    "tests of the stacks",
    ...node(
      [
        "--conditions=sortie-source",
        "node_modules/vitest/vitest.mjs",
        "run",
        "--config",
        "test/stacks/vitest.config.ts",
      ],
      flags.has("--update") ? { SORTIE_UPDATE: "1" } : {},
    ),
  );
}
