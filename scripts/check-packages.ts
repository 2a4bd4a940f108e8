// Proves that the packages can be used elsewhere: builds and packs each, installs them into an empty project outside the
// repository, imports every one, and solves a problem with the installed command. The client is installed into a project of
// its own besides, where a program with types solves on a server, and is bundled for browsers.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
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
  await checkClient(join(project, "client"), dependencies, cli);
} finally {
  rmSync(project, { recursive: true, force: true });
}

/** The client alone, in an empty project of its own. @param cli the installed command, for a server */
async function checkClient(folder: string, tarballs: Readonly<Record<string, string | undefined>>, cli: string) {
  mkdirSync(folder);
  const { "@sortie/client": client, "@sortie/wire": wire } = tarballs;
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({
      name: "empty",
      private: true,
      type: "module",
      dependencies: { "@sortie/client": client },
      overrides: { "@sortie/wire": wire },
    }),
  );
  run(npm, ["install", "--silent", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"], folder);
  writeFileSync(
    join(folder, "node.ts"),
    `import { type LpSolution, Model } from "@sortie/client";
import { connect } from "@sortie/client/node";

const model = new Model("demo");
const x = model.variable("x");
const y = model.variable("y");
model.constraint("first", [[x, 3], [y, 4]], "<=", 5.4);
model.constraint("second", [[x, 2.7], [y, 10.1]], "<=", 4.9);
model.maximize([[x, 0.2], [y, -0.1]]);
await using client = await connect(process.argv[2] ?? "");
const solution: LpSolution = await client.solveLp(model);
console.log(solution.status, solution.objective.toFixed(2), solution.value("x").toFixed(1));
`,
  );
  writeFileSync(
    join(folder, "page.ts"),
    `import { connect, type SortieClient } from "@sortie/client/web";

const client: SortieClient = await connect("https://solve.example");
console.log(client.server?.version);
`,
  );
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2024",
        lib: ["es2024", "esnext.disposable", "dom", "dom.iterable"],
        module: "nodenext",
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        typeRoots: [join(root, "node_modules/@types")],
        types: ["node"],
      },
      include: ["*.ts"],
    }),
  );
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], folder);
  process.stdout.write("the installed client has types\n");

  const server = spawn(process.execPath, [cli, "serve", "--port", "0", "--data", join(folder, "data")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line] = await once(server.stdout.setEncoding("utf8"), "data");
    const address = /listening on (\S+)/.exec(line)?.[1];
    if (address === undefined) throw new Error(`the installed command says "${line}" where it should be listening`);
    const answer = run(process.execPath, ["--disable-warning=ExperimentalWarning", "node.ts", address], folder).trim();
    if (answer !== "optimal 0.36 1.8") throw new Error(`the installed client printed "${answer}"`);
    process.stdout.write("the installed client solves on a server\n");
  } finally {
    const gone = once(server, "exit");
    server.kill("SIGTERM");
    await gone;
  }

  const { outputFiles } = await build({
    entryPoints: [join(folder, "page.ts")],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2024",
    minify: true,
    logLevel: "warning",
  });
  const kilobytes = Math.round((outputFiles[0]?.contents.byteLength ?? 0) / 1000);
  process.stdout.write(`the installed client is bundled for browsers: ${kilobytes} kB\n`);
}
