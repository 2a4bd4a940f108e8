// What the stack program asks AWS for, found out without AWS: the program is bundled inside `.sst/platform` with the
// platform's own esbuild, as SST does it, runs in a process of its own under Pulumi's mocks, and SST's loopback calls
// (`SST_SERVER`) are answered here.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const platform = join(root, ".sst/platform");

export interface Resource {
  /** As Pulumi names it: `aws:s3/bucket:Bucket`. */
  readonly type: string;
  /** The logical name. */
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: the inputs of some hundred types of resources
  readonly inputs: Record<string, any>;
}

export interface Synthesis {
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** What `app()` in sst.config.ts answers. */
export interface App {
  readonly name: string;
  readonly removal: string;
  readonly protect: boolean;
  readonly version: string;
  readonly providers: Readonly<Record<string, unknown>>;
}

/** As stacks/bundle.ts has it. */
interface Bundles {
  readonly functions: string;
  readonly host: string;
}

/** The parts of esbuild that are used. */
interface Esbuild {
  build(options: Record<string, unknown>): Promise<unknown>;
}

/**
 * Runs `sst.config.ts` for a stage.
 * @param options environment variables `SORTIE_STACK_…` and `SORTIE_LIMIT_…`
 * @param bundling "real": the code is bundled on the way, as a deployment does it, which takes seconds
 * @throws Error with what the program wrote, if it failed
 */
export async function synthesise(
  stage: string,
  options: Readonly<Record<string, string>> = {},
  bundling: "stand-in" | "real" = "stand-in",
): Promise<Synthesis> {
  const folder = mkdtempSync(join(tmpdir(), "sortie-stacks-"));
  const server = createServer((request, response) => {
    request.setEncoding("utf8");
    let body = "";
    request.on("data", (text) => {
      body += text;
    });
    request.on("end", () => {
      const { method, params } = JSON.parse(body);
      response.end(JSON.stringify(answerOf(method, params[0])));
    });
  });
  // In the platform's folder, where its packages are found.
  const bundle = join(platform, `sortie-${process.pid}-${Math.random().toString(36).slice(2)}.mjs`);
  try {
    const app = await appOf(stage);
    await bundleProgram(bundle, app, stage, bundling === "real" ? undefined : standInBundles(folder));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const result = join(folder, "result.json");
    await run(bundle, {
      ...options,
      SORTIE_SYNTHESIS: result,
      SST_SERVER: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    return JSON.parse(readFileSync(result, "utf8"));
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(bundle, { force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A small file for each function that there is. */
function standInBundles(folder: string): Bundles {
  const bundles = { functions: join(folder, "functions"), host: join(folder, "host") };
  for (const file of globSync("functions/*.ts", { cwd: root }).filter((each) => !each.endsWith(".test.ts"))) {
    const own = join(bundles.functions, basename(file, ".ts"));
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "index.mjs"), "export const handler = () => {};\n");
  }
  return bundles;
}

/** What the configuration says of the app for this stage. */
export async function appOf(stage: string): Promise<App> {
  const file = join(platform, `sortie-app-${process.pid}-${Math.random().toString(36).slice(2)}.mjs`);
  try {
    await esbuild().build({
      entryPoints: [join(root, "sst.config.ts")],
      outfile: file,
      bundle: true,
      format: "esm",
      platform: "node",
      // Nothing but the configuration itself: the stacks are imported when they run.
      external: ["./stacks/*"],
      tsconfigRaw: {},
      banner: { js: "const $config = (config) => config;" },
    });
    const { default: config } = await import(file);
    return await config.app({ stage });
  } finally {
    rmSync(file, { force: true });
  }
}

function esbuild(): Esbuild {
  return createRequire(join(platform, "package.json"))("esbuild") as Esbuild;
}

/** As SST's command bundles it: its shim for the globals, the providers as namespaces, its runner around the program. */
async function bundleProgram(outfile: string, app: App, stage: string, bundles: Bundles | undefined): Promise<void> {
  const paths = { root, platform, work: join(root, ".sst"), home: tmpdir() };
  await esbuild().build({
    stdin: {
      contents: `
        import { synthesise } from ${JSON.stringify(join(root, "stacks/testing/program.ts"))};
        import { run } from ${JSON.stringify(join(platform, "src/auto/run.ts"))};
        import config from ${JSON.stringify(join(root, "sst.config.ts"))};
        import * as sst from ${JSON.stringify(join(platform, "src/components"))};
        import * as aws from "@pulumi/aws";
        import * as dockerbuild from "@pulumi/docker-build";
        Object.assign(globalThis, { aws, dockerbuild, sst });
        import { deploy } from ${JSON.stringify(join(root, "stacks/main.ts"))};
        await synthesise(() => run(${bundles ? `async () => deploy(() => (${JSON.stringify(bundles)}))` : "config.run"}));
      `,
      resolveDir: platform,
      loader: "ts",
    },
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22",
    // The root's own asks for more than this esbuild knows.
    tsconfigRaw: {},
    packages: "external",
    inject: [join(platform, "src/shim/run.js")],
    define: {
      $app: JSON.stringify({ ...app, stage }),
      $dev: "false",
      $cli: JSON.stringify({ command: "deploy", rpc: "", paths, state: { version: {} } }),
    },
    banner: {
      js: [
        'import { createRequire as topLevelCreateRequire } from "node:module";',
        "const require = topLevelCreateRequire(import.meta.url);",
        'import { fileURLToPath as topLevelFileUrlToPath } from "node:url";',
        "const __filename = topLevelFileUrlToPath(import.meta.url);",
        'const __dirname = topLevelFileUrlToPath(new URL(".", import.meta.url));',
      ].join("\n"),
    },
    logLevel: "error",
  });
}

/** What SST's engine would answer the components. */
function answerOf(method: string, input: Record<string, unknown>): object {
  switch (method) {
    case "Provider.Aws.Bootstrap": {
      const result = {
        asset: "assets",
        assetEcrRegistryId: "123456789012",
        assetEcrUrl: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/sst-asset",
        state: "state",
        appsyncHttp: "",
        appsyncRealtime: "",
      };
      return { result };
    }
    case "Runtime.Build":
      // It bundles nothing that is bundled already.
      return { result: { handler: input["handler"], out: input["bundle"], errors: [], sourcemaps: [] } };
    default:
      return { error: `rpc: can't find method ${method}` };
  }
}

async function run(bundle: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, ["--no-deprecation", bundle], {
    cwd: root,
    // Nothing of this machine's own account or options.
    env: { PATH: process.env["PATH"], HOME: tmpdir(), AWS_EC2_METADATA_DISABLED: "true", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`the stack program failed with exit code ${code}:\n${output}`);
}
