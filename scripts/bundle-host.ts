// Bundles the server host of the AWS stacks (functions/host/main.ts) into FOLDER/index.mjs, with ONNX Runtime and what drawing
// reads beside it:
//
//   node packages/cli/bin/launch.js scripts/bundle-host.ts FOLDER
import { bundleHost } from "./bundle-functions.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write("usage: bundle-host FOLDER\n");
  process.exit(2);
}
await bundleHost(folder);
