// The `sortie` command: finds the command that was named and runs it. Each command is one file under commands/.
import { readFileSync } from "node:fs";
import type { Command } from "./command.ts";

const COMMANDS: readonly Command[] = [
  { name: "serve", summary: "run the server", load: async () => (await import("./commands/serve.ts")).serve },
  { name: "solve", summary: "solve a model file", load: async () => (await import("./commands/solve.ts")).solve },
  {
    name: "convert",
    summary: "write a model file in another format",
    load: async () => (await import("./commands/convert.ts")).convert,
  },
  {
    name: "check",
    summary: "look for mistakes in a model file",
    load: async () => (await import("./commands/check.ts")).check,
  },
  {
    name: "infer",
    summary: "run a pipeline on hyperspectral cubes",
    load: async () => (await import("./commands/infer.ts")).infer,
  },
  {
    name: "fit",
    summary: "fit the statistical nodes of a pipeline",
    load: async () => (await import("./commands/fit.ts")).fit,
  },
  {
    name: "pipeline",
    summary: "export a pipeline as ONNX, or draw it",
    load: async () => (await import("./commands/pipeline.ts")).pipeline,
  },
  {
    name: "token",
    summary: "make, list and revoke API tokens",
    load: async () => (await import("./commands/token.ts")).token,
  },
  {
    name: "webhook",
    summary: "show the secret of a tenant's webhooks",
    load: async () => (await import("./commands/webhook.ts")).webhook,
  },
];

function help(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length));
  return [
    "sortie: sends numerical work out and brings answers home",
    "",
    "usage: sortie COMMAND [OPTION ...]",
    "",
    ...COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
    "",
    "sortie COMMAND --help tells the options of a command; sortie --version tells the version.",
    "",
  ].join("\n");
}

function version(): string {
  return JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;
}

/** @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help());
    return 0;
  }
  if (name === "--version" || name === "-V") {
    process.stdout.write(`sortie ${version()}\n`);
    return 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const names = COMMANDS.map((candidate) => candidate.name);
    const { nearest } = await import("@sortie/server");
    const meant = nearest(name, names, 2);
    const hint = meant ? `; did you mean ${meant}?` : `; there is: ${names.join(", ")}`;
    process.stderr.write(`sortie: "${name}" is not a command${hint}\n`);
    return 1;
  }
  const run = await command.load();
  return await run(rest);
}

process.exitCode = await main(process.argv.slice(2));
// What a command left open must not keep the program alive.
setTimeout(() => process.exit(), 1000).unref();
