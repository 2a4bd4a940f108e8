// What `npm test` runs: types, lint, generated code, and the quick suites.
import { spawnSync } from "node:child_process";
import { root } from "./packages.ts";

const steps: readonly (readonly [string, readonly string[]])[] = [
  ["types", ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]],
  ["lint", ["node_modules/@biomejs/biome/bin/biome", "check", "."]],
  ["generated code", ["scripts/generate.ts", "--check"]],
  [
    "tests",
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      ...["unit", "contract", "e2e", "client"].flatMap((project) => ["--project", project]),
    ],
  ],
];

for (const [name, args] of steps) {
  process.stdout.write(`\n--- ${name}\n`);
  const { status } = spawnSync(process.execPath, ["--conditions=sortie-source", ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) {
    process.stderr.write(`${name}: failed\n`);
    process.exit(status ?? 1);
  }
}
