// Builds packages into their `dist`: JavaScript, declarations, and the files that the compiler does not copy.
//
// Usage: build.ts [NAME ...]    those packages and what they depend on; all without a name
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, workspacePackages } from "./packages.ts";

const compiler = join(root, "node_modules/typescript/bin/tsc");

function build(folder: string): boolean {
  const dist = join(folder, "dist");
  const config = join(folder, "tsconfig.build.json");
  rmSync(dist, { recursive: true, force: true });
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        rootDir: "src",
        outDir: "dist",
        declaration: true,
        sourceMap: false,
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: ["src"],
      exclude: ["src/**/*.test.ts", "src/**/testing/**"],
    }),
  );
  try {
    const { status } = spawnSync(process.execPath, [compiler, "-p", config], { stdio: "inherit" });
    const generated = join(folder, "src/gen");
    if (existsSync(generated)) cpSync(generated, join(dist, "gen"), { recursive: true });
    return status === 0;
  } finally {
    rmSync(config);
  }
}

const all = workspacePackages();
const wanted = new Set(process.argv.slice(2));
for (const name of wanted) {
  const found = all.find((each) => each.name === name);
  if (!found) throw new Error(`there is no package ${name}; there are ${all.map((each) => each.name).join(", ")}`);
  // A set is walked to its end, what is added on the way included.
  for (const each of found.dependencies) if (each.startsWith("@sortie/")) wanted.add(each);
}

for (const { name, folder } of all.filter((each) => wanted.size === 0 || wanted.has(each.name))) {
  process.stdout.write(`building ${name}\n`);
  if (!build(folder)) {
    process.stderr.write(`${name} does not build\n`);
    process.exit(1);
  }
}
