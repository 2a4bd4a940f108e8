// The `sortie` command: finds the command that was named and runs it. Each command is one file under commands/; the list of
// them is command-list.ts.
import { readFileSync } from "node:fs";
import { COMMANDS } from "./command-list.ts";

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
  // "help solve" is "solve --help".
  const [name, ...rest] = args[0] === "help" && args[1] !== undefined ? [args[1], "--help"] : args;
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
  const { run } = await command.load();
  return await run(rest);
}

// Whoever read the output has left: what runs ends as at Ctrl-C.
process.stdout.once("error", (error: NodeJS.ErrnoException) => {
  process.stdout.on("error", () => undefined);
  if (error.code !== "EPIPE") throw error;
  process.kill(process.pid, "SIGINT");
});

process.exitCode = await main(process.argv.slice(2));
// What a command left open must not keep the program alive.
setTimeout(() => process.exit(), 1000).unref();
