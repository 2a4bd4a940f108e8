// Holds the direction of dependencies (docs/design.md, section 3) by reading what every file imports.
import { globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Which packages of ours each package may import. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  core: [],
  solve: [],
  pipeline: ["wire"],
  sessions: ["core", "pipeline"],
  client: ["wire"],
  "platform-local": ["core"],
  "platform-aws": ["core"],
  rpc: ["wire", "core", "solve", "pipeline", "sessions"],
  webhooks: ["core"],
  inbox: ["wire", "core", "solve", "rpc"],
  worker: ["wire", "core", "solve", "pipeline", "sessions", "platform-local", "platform-aws"],
  server: ["wire", "core", "solve", "pipeline", "sessions", "platform-local", "rpc", "worker", "inbox", "webhooks"],
  cli: ["wire", "solve", "client", "server", "inbox", "pipeline", "sessions"],
};

interface Import {
  readonly file: string;
  readonly from: string;
}

const isTest = (file: string): boolean => /\.test\.ts$/.test(file) || file.split(sep).includes("testing");

function importsOf(name: string): Import[] {
  return globSync("src/**/*.ts", { cwd: join(root, "packages", name) })
    .filter((file) => !isTest(file) && !file.split(sep).includes("gen"))
    .flatMap((file) => {
      const text = readFileSync(join(root, "packages", name, file), "utf8");
      const found = text.matchAll(
        /(?:^|\n)\s*(?:import|export)[^;"']*?from\s+["']([^"']+)["']|\b(?:import|createRequire\(import\.meta\.url\)\.resolve|packages\.resolve)\(\s*["']([^"']+)["']\s*\)/g,
      );
      return [...found].map((match) => ({ file, from: match[1] ?? match[2] ?? "" }));
    });
}

/** The public faces of a package: ".", "./node". */
function entriesOf(name: string): string[] {
  const { exports = {} } = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
  return Object.keys(exports);
}

const packages = globSync("packages/*/package.json", { cwd: root }).map((file) => file.split(sep)[1] as string);

describe("the layers", () => {
  it("have a rule for every package", () => {
    expect(packages.toSorted()).toEqual(Object.keys(ALLOWED).toSorted());
  });

  it.each(packages)("%s imports only packages inside of it, by their public face", (name) => {
    const wrong = importsOf(name).filter(({ from }) => {
      if (!from.startsWith("@sortie/")) return false;
      // A package may have several public faces, such as @sortie/client/node.
      const [, inner = "", ...entry] = from.split("/");
      return !ALLOWED[name]?.includes(inner) || !entriesOf(inner).includes([".", ...entry].join("/"));
    });
    expect(wrong).toEqual([]);
  });

  it.each(packages)("%s does not reach into the folders of another package", (name) => {
    const outside = importsOf(name).filter(({ file, from }) => {
      if (!from.startsWith(".")) return false;
      return relative("src", join(dirname(file), from)).startsWith("..");
    });
    expect(outside).toEqual([]);
  });

  it.each(packages)("%s declares exactly what it imports", (name) => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
    const generated = globSync("src/gen/**/*.js", { cwd: join(root, "packages", name) }).length > 0;
    const imported = new Set(
      importsOf(name)
        .map(({ from }) => from)
        .filter((from) => !from.startsWith(".") && !from.startsWith("node:") && !builtinModules.includes(from))
        .map((from) =>
          from
            .split("/")
            .slice(0, from.startsWith("@") ? 2 : 1)
            .join("/"),
        ),
    );
    if (generated) imported.add("@bufbuild/protobuf");
    expect([...imported].toSorted()).toEqual(Object.keys(dependencies).toSorted());
  });

  it("keep I/O out of core", () => {
    const io = /^node:(fs|net|http|http2|https|child_process|worker_threads|sqlite|dgram|tls)/;
    expect(importsOf("core").filter(({ from }) => io.test(from))).toEqual([]);
  });

  it.each(["index.ts", "web.ts"])("let %s of the client run in a browser", (entry) => {
    const imports = Map.groupBy(importsOf("client"), ({ file }) => file);
    const reached = new Set([join("src", entry)]);
    const ofNode: Import[] = [];
    // A set is walked to its end, what is added on the way included.
    for (const file of reached) {
      for (const found of imports.get(file) ?? []) {
        if (found.from.startsWith(".")) reached.add(join(dirname(file), found.from));
        else if (builtinModules.includes(found.from.replace(/^node:/, "")) || found.from.endsWith("connect-node"))
          ofNode.push(found);
      }
    }
    expect(reached.size).toBeGreaterThan(20);
    expect(ofNode).toEqual([]);
  });
});
