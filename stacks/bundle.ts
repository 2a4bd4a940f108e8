// Bundles the code before it is deployed, by the repository's own scripts, so that what runs is what the tests bundle.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** Under which of these the code of each function, and of the host, lies after bundling. */
export interface Bundles {
  /** One folder for each function, `index.mjs` in it. */
  readonly functions: string;
  readonly host: string;
}

/** @throws Error with what the bundler said */
export function bundleAll(withHost: boolean): Bundles {
  const bundles = {
    functions: join($cli.paths.work, "bundles/functions"),
    host: join($cli.paths.work, "bundles/host"),
  };
  run("bundle-functions.ts", bundles.functions);
  if (withHost) run("bundle-host.ts", bundles.host);
  return bundles;
}

/** By the launcher: whatever Node deploys, a supported one bundles. */
function run(script: string, folder: string): void {
  const { root } = $cli.paths;
  const args = [join(root, "packages/cli/bin/launch.js"), join(root, "scripts", script), folder];
  const { status, error, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (status === 0) return;
  throw new Error(`${script} failed${error ? ` (${error.message})` : ""}:\n${stdout}${stderr}`);
}
