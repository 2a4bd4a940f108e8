// Builds every package into its `dist`: JavaScript, declarations, and the files that the compiler does not copy.
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

for (const { name, folder } of workspacePackages()) {
  process.stdout.write(`building ${name}\n`);
  if (!build(folder)) {
    process.stderr.write(`${name} does not build\n`);
    process.exit(1);
  }
}
