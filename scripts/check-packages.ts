// Proves that the packages can be used elsewhere: builds and packs each, installs them into an empty project outside the
// repository, imports every one, and solves a problem with the installed command.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, workspacePackages } from "./packages.ts";

const npm = process.platform === "win32" ? "npm.cmd" : "npm";
const project = mkdtempSync(join(tmpdir(), "sortie-packages-"));
const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

try {
  execFileSync(process.execPath, ["--conditions=sortie-source", join(root, "scripts/build.ts")], { stdio: "inherit" });
  const tarballs = join(project, "tarballs");
  mkdirSync(tarballs);
  const packages = workspacePackages();
  for (const { folder } of packages) run(npm, ["pack", "--silent", "--pack-destination", tarballs], folder);
  const files = packages.map(
    ({ name }) => `file:${join(tarballs, `${name.replace("@", "").replace("/", "-")}-0.1.0.tgz`)}`,
  );
  const dependencies = Object.fromEntries(packages.map(({ name }, index) => [name, files[index]]));
  // Overrides make the packages find each other in the tarballs rather than in a registry.
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "empty", private: true, type: "module", dependencies, overrides: dependencies }),
  );
  run(npm, ["install", "--silent", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"], project);
  const imports = packages.filter(({ name }) => name !== "@sortie/cli").map(({ name }) => `import("${name}")`);
  writeFileSync(
    join(project, "check.js"),
    `const all = await Promise.all([${imports}]);
const empty = all.filter((module) => Object.keys(module).length === 0).length;
if (empty > 0) throw new Error(empty + " packages export nothing");
console.log(all.length + " packages imported");
process.exit(0);
`,
  );
  process.stdout.write(run(process.execPath, ["check.js"], project));
  const cli = join(project, "node_modules/@sortie/cli/bin/sortie.js");
  const output = run(process.execPath, [cli, "solve", join(root, "test/data/lp/afiro.mps.gz")], project);
  if (!/Objective: -464\.753/.test(output)) throw new Error(`the installed command did not solve afiro:\n${output}`);
  process.stdout.write("the installed command solves afiro\n");
} finally {
  rmSync(project, { recursive: true, force: true });
}
