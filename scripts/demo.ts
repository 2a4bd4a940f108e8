// `npm run demo`: solves a real MIP of the project's own test data on the embedded default and shows what came of it.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./packages.ts";

const model = join(root, "test/data/lp/p0201.mps.gz");
const solution = join(root, "demo.sol");

process.stdout.write("$ npx sortie solve test/data/lp/p0201.mps.gz -o demo.sol\n");
const { status } = spawnSync(
  process.execPath,
  [
    "--conditions=sortie-source",
    "--disable-warning=ExperimentalWarning",
    join(root, "packages/cli/src/main.ts"),
    "solve",
    model,
    "-o",
    solution,
  ],
  { stdio: "inherit" },
);
if (status === 0) {
  const lines = readFileSync(solution, "utf8").trimEnd().split("\n");
  const nonzero = lines.filter((line) => !line.startsWith("#") && !line.endsWith(" 0"));
  process.stdout.write(`\n$ head -n 2 demo.sol\n${lines.slice(0, 2).join("\n")}\n`);
  process.stdout.write(`(${lines.length - 2} variables, ${nonzero.length} of them not zero)\n`);
}
process.exit(status ?? 1);
