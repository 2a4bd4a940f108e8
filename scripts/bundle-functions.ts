// Bundles the functions for Lambda, each into a folder of its own that needs nothing beside it:
//
//   node packages/cli/bin/launch.js scripts/bundle-functions.ts FOLDER [--no-minify] [NAME …]
//
// FOLDER/NAME/index.mjs exports `handler`; a function that solves has HiGHS and the program of its thread beside it. The AWS
// SDK is bundled too: the one that Lambda brings changes without notice, and reading many small files is slower.
import { copyFileSync, globSync, mkdirSync, rmSync, statSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { root } from "./packages.ts";

export interface Bundle {
  readonly name: string;
  readonly folder: string;
  /** Every file of ours and of packages that went into the function, by its path from the repository. */
  readonly inputs: readonly string[];
  /** Bytes of all that is uploaded, not compressed. */
  readonly bytes: number;
}

export interface BundleOptions {
  /** Default true. */
  readonly minify?: boolean | undefined;
  /** Default: every function. */
  readonly names?: readonly string[] | undefined;
}

const THREAD = join(root, "packages/solve/src/engines/highs-thread.ts");
const RUNTIME = createRequire(join(root, "packages/solve/src/index.ts")).resolve("highs/runtime");

/** In a bundle the thread's program and HiGHS lie beside it. */
const filesBeside: Plugin = {
  name: "highs-files",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]engines[\\/]highs-files\.ts$/ }, () => ({
      contents: [
        'import { fileURLToPath } from "node:url";',
        'export const threadProgram = () => new URL("./highs-thread.mjs", import.meta.url);',
        'export const runtimeFile = () => fileURLToPath(new URL("./highs.wasm", import.meta.url));',
      ].join("\n"),
    }));
  },
};

const settings = (minify: boolean): BuildOptions & { metafile: true } => ({
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  // Packages of ours lead to their sources.
  conditions: ["sortie-source", "module"],
  mainFields: ["module", "main"],
  // Native code cannot be bundled; a function that still needs it when unused code is gone is refused below.
  external: ["onnxruntime-node"],
  minify,
  // Names of classes stand in logs.
  keepNames: true,
  sourcemap: minify ? false : "linked",
  legalComments: "none",
  // CommonJS packages inside expect these.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  metafile: true,
  logLevel: "warning",
  plugins: [filesBeside],
});

/** The functions' names: those of the files in functions/. */
export const functionNames = (): string[] =>
  globSync("functions/*.ts", { cwd: root })
    .map((file) => basename(file, ".ts"))
    .filter((name) => !name.includes("."))
    .sort();

/** Bundles functions into `out`. @throws if one does not bundle */
export async function bundleFunctions(out: string, options: BundleOptions = {}): Promise<Bundle[]> {
  return Promise.all(
    (options.names ?? functionNames()).map((name) => bundleOne(resolve(out), name, options.minify ?? true)),
  );
}

async function bundleOne(out: string, name: string, minify: boolean): Promise<Bundle> {
  const folder = join(out, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const entry = join(root, "functions", `${name}.ts`);
  const { metafile } = await build({ ...settings(minify), entryPoints: [entry], outfile: join(folder, "index.mjs") });
  const built = [metafile];
  const missing = Object.values(metafile.outputs)
    .flatMap(({ imports }) => imports.filter(({ external, path }) => external && !isBuiltin(path)))
    .map(({ path }) => path);
  if (missing.length > 0)
    throw new Error(`function ${name} needs ${[...new Set(missing)].join(", ")} beside its bundle`);
  const inputs = usedBy(metafile);
  const solves = inputs.some((file) => /engines\/highs\.ts$/.test(file));
  if (solves) {
    const thread = { entryPoints: [THREAD], outfile: join(folder, "highs-thread.mjs") };
    built.push((await build({ ...settings(minify), ...thread })).metafile);
    copyFileSync(RUNTIME, join(folder, "highs.wasm"));
  }
  const files = globSync("*", { cwd: folder }).map((file) => join(folder, file));
  const bytes = files.filter((file) => !file.endsWith(".map")).reduce((sum, file) => sum + statSync(file).size, 0);
  return { name, folder, inputs: [...new Set(built.flatMap(usedBy))].sort(), bytes };
}

/** What is left of a bundle's inputs after unused code was dropped. */
function usedBy({ outputs }: Metafile): string[] {
  return Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([file]) => file),
  );
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: { minify: { type: "boolean", default: true } },
  });
  const [out, ...names] = positionals;
  if (out === undefined) {
    process.stderr.write("usage: bundle-functions FOLDER [--no-minify] [NAME …]\n");
    process.exit(2);
  }
  const bundles = await bundleFunctions(out, { minify: values.minify, ...(names.length > 0 && { names }) });
  for (const { name, bytes, inputs } of bundles) {
    process.stdout.write(`${name}: ${(bytes / 1024).toFixed(0)} KiB of ${inputs.length} files\n`);
  }
}
