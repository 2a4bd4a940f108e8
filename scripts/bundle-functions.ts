// Bundles the functions for Lambda, each into a folder of its own that needs nothing beside it:
//
//   node packages/cli/bin/launch.js scripts/bundle-functions.ts FOLDER [--no-minify] [--arch arm64|x64] [NAME …]
//
// FOLDER/NAME/index.mjs exports `handler`; a function that solves has HiGHS and the program of its thread beside it, one that
// runs pipelines ONNX Runtime for Linux on one architecture, and one that draws resvg and a font. The AWS SDK is bundled too:
// the one that Lambda brings changes without notice, and reading many small files is slower.
import { copyFileSync, cpSync, globSync, mkdirSync, rmSync, statSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
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

export type Architecture = "arm64" | "x64";

export interface BundleOptions {
  /** Default true. */
  readonly minify?: boolean | undefined;
  /** What the functions run on; matters where there is native code. Default "arm64", as the stacks have it. */
  readonly arch?: Architecture | undefined;
  /** Default: every function. */
  readonly names?: readonly string[] | undefined;
}

const THREAD = join(root, "packages/solve/src/engines/highs-thread.ts");
const RUNTIME = createRequire(join(root, "packages/solve/src/index.ts")).resolve("highs/runtime");

const NATIVE = "onnxruntime-node";
const PIPELINE = join(root, "packages/pipeline/src");
const ENGINE_WORKER = join(PIPELINE, "runtime/engine-worker.ts");
/** By their names beside a bundle. */
const PICTURE_FILES = {
  "resvg.wasm": "@resvg/resvg-wasm/index_bg.wasm",
  "regular.ttf": "@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf",
  "bold.ttf": "@expo-google-fonts/arimo/700Bold/Arimo_700Bold.ttf",
};

/** In a bundle the programs of threads, HiGHS and what drawing reads lie beside it. */
const filesBeside: Plugin = {
  name: "files-beside",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]runtime[\\/]engine-program\.ts$/ }, () => ({
      contents: 'export const engineProgram = () => new URL("./engine-worker.mjs", import.meta.url);',
    }));
    const beside = Object.keys(PICTURE_FILES).map((name) => `fileURLToPath(new URL("./${name}", import.meta.url))`);
    onLoad({ filter: /[\\/]picture[\\/]files\.ts$/ }, () => ({
      contents: [
        'import { fileURLToPath } from "node:url";',
        `export const pictureFiles = () => [${beside.join(", ")}];`,
      ].join("\n"),
    }));
    onLoad({ filter: /[\\/]engines[\\/]highs-files\.ts$/ }, () => ({
      contents: [
        'import { fileURLToPath } from "node:url";',
        'export const threadProgram = () => new URL("./highs-thread.mjs", import.meta.url);',
        'export const runtimeFile = () => fileURLToPath(new URL("./highs.wasm", import.meta.url));',
      ].join("\n"),
    }));
  },
};

/** CommonJS packages inside expect these. */
const REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';
const PLACE = [
  'import { fileURLToPath as __fileURLToPath } from "node:url";',
  "const __filename = __fileURLToPath(import.meta.url);",
  'const __dirname = __fileURLToPath(new URL(".", import.meta.url));',
].join(" ");

const settings = (minify: boolean): BuildOptions & { metafile: true } => ({
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  // Packages of ours lead to their sources.
  conditions: ["sortie-source", "module"],
  mainFields: ["module", "main"],
  // Native code cannot be bundled: it is copied where it is still needed when unused code is gone.
  external: [NATIVE],
  minify,
  // Names of classes stand in logs.
  keepNames: true,
  sourcemap: minify ? false : "linked",
  legalComments: "none",
  banner: { js: REQUIRE },
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
    (options.names ?? functionNames()).map((name) =>
      bundleOne(name, {
        folder: join(resolve(out), name),
        entry: join(root, "functions", `${name}.ts`),
        minify: options.minify ?? true,
        arch: options.arch ?? "arm64",
      }),
    ),
  );
}

/** Bundles the server host of the stacks (functions/host/main.ts) into `folder`, for the processor of its container. */
export const bundleHost = (folder: string): Promise<Bundle> =>
  bundleOne("host", {
    folder: resolve(folder),
    entry: join(root, "functions/host/main.ts"),
    minify: true,
    arch: "x64",
    banner: `${REQUIRE} ${PLACE}`,
  });

interface Program {
  readonly folder: string;
  readonly entry: string;
  readonly minify: boolean;
  readonly arch: Architecture;
  readonly banner?: string;
}

async function bundleOne(name: string, { folder, entry, minify, arch, banner }: Program): Promise<Bundle> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    ...settings(minify),
    entryPoints: [entry],
    outfile: join(folder, "index.mjs"),
    ...(banner !== undefined && { banner: { js: banner } }),
  });
  const built = [metafile];
  const missing = Object.values(metafile.outputs)
    .flatMap(({ imports }) => imports.filter(({ external, path }) => external && !isBuiltin(path)))
    .map(({ path }) => path)
    .filter((path) => path !== NATIVE);
  if (missing.length > 0) throw new Error(`${name} needs ${[...new Set(missing)].join(", ")} beside its bundle`);
  const inputs = usedBy(metafile);
  const solves = inputs.some((file) => /engines\/highs\.ts$/.test(file));
  if (solves) {
    const thread = { entryPoints: [THREAD], outfile: join(folder, "highs-thread.mjs") };
    built.push((await build({ ...settings(minify), ...thread })).metafile);
    copyFileSync(RUNTIME, join(folder, "highs.wasm"));
  }
  if (inputs.some((file) => /runtime\/engine\.ts$/.test(file))) {
    const thread = { entryPoints: [ENGINE_WORKER], outfile: join(folder, "engine-worker.mjs") };
    built.push((await build({ ...settings(minify), ...thread })).metafile);
    copyRuntime(folder, arch);
  }
  if (inputs.some((file) => /picture\/render\.ts$/.test(file))) {
    for (const [file, source] of Object.entries(PICTURE_FILES)) {
      copyFileSync(pipelinePackages.resolve(source), join(folder, file));
    }
  }
  const files = globSync("**", { cwd: folder })
    .map((file) => join(folder, file))
    .filter((file) => statSync(file).isFile());
  const bytes = files.filter((file) => !file.endsWith(".map")).reduce((sum, file) => sum + statSync(file).size, 0);
  return { name, folder, inputs: [...new Set(built.flatMap(usedBy))].sort(), bytes };
}

const pipelinePackages = createRequire(join(PIPELINE, "index.ts"));

/** ONNX Runtime as a package beside the bundle: its binding for Linux on `arch`, and the little code around it. */
function copyRuntime(folder: string, arch: Architecture): void {
  const main = pipelinePackages.resolve(NATIVE);
  const common = createRequire(main).resolve("onnxruntime-common");
  const copy = (from: string, name: string, parts: readonly string[]) => {
    for (const part of parts) {
      cpSync(join(from, part), join(folder, "node_modules", name, part), {
        recursive: true,
        filter: (file) => !/\.(map|d\.ts)$/.test(file),
      });
    }
  };
  copy(dirname(dirname(main)), NATIVE, ["package.json", "dist", `bin/napi-v6/linux/${arch}`]);
  copy(dirname(dirname(dirname(common))), "onnxruntime-common", ["package.json", "dist/cjs"]);
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
    options: { minify: { type: "boolean", default: true }, arch: { type: "string", default: "arm64" } },
  });
  const [out, ...names] = positionals;
  const { arch } = values;
  if (out === undefined || (arch !== "arm64" && arch !== "x64")) {
    process.stderr.write("usage: bundle-functions FOLDER [--no-minify] [--arch arm64|x64] [NAME …]\n");
    process.exit(2);
  }
  const bundles = await bundleFunctions(out, { minify: values.minify, arch, ...(names.length > 0 && { names }) });
  for (const { name, bytes, inputs } of bundles) {
    process.stdout.write(`${name}: ${(bytes / 1024).toFixed(0)} KiB of ${inputs.length} files\n`);
  }
}
