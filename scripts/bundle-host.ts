// Bundles the server host of the AWS stacks (functions/host/main.ts) into FOLDER/index.mjs, which needs nothing beside it:
//
//   node packages/cli/bin/launch.js scripts/bundle-host.ts FOLDER
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { root } from "./packages.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write("usage: bundle-host FOLDER\n");
  process.exit(2);
}
/** Native code cannot be bundled, and the host has no use for it. */
const NATIVE = "onnxruntime-node";

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(root, "functions/host/main.ts")],
  outfile: join(resolve(folder), "index.mjs"),
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  // Packages of ours lead to their sources.
  conditions: ["sortie-source", "module"],
  mainFields: ["module", "main"],
  minify: true,
  keepNames: true,
  legalComments: "none",
  // CommonJS packages inside expect these.
  banner: {
    js: [
      'import { createRequire as __createRequire } from "node:module";',
      'import { fileURLToPath as __fileURLToPath } from "node:url";',
      "const require = __createRequire(import.meta.url);",
      "const __filename = __fileURLToPath(import.meta.url);",
      'const __dirname = __fileURLToPath(new URL(".", import.meta.url));',
    ].join(" "),
  },
  external: [NATIVE],
  metafile: true,
  logLevel: "warning",
});
if (Object.values(metafile.outputs).some(({ imports }) => imports.some(({ path }) => path === NATIVE))) {
  process.stderr.write(`bundle-host: the host still needs ${NATIVE}, which is not in its image\n`);
  process.exit(1);
}
