// The documents show what is: every console session and every program in them is run, and prints what they say.
//
// With SORTIE_DOCS_UPDATE=1 what commands print is written anew, but where lines are left out (`…`).
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import { commandsOf, isShown, type Snippet, snippetsOf, steady } from "./snippets.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENTS = ["README.md", "docs/client.md", "docs/cli.md"];
/** The address that the documents write for a server. */
const ADDRESS = "localhost:5001";
const END_OF_OUTPUT = "\u0001";
const update = process.env["SORTIE_DOCS_UPDATE"] === "1";
const NODE = [process.execPath, "--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];

let server: EmbeddedServer;
let scratch: string;
/** Programs lie inside the repository, where its packages are found. */
let programs: string;
beforeAll(async () => {
  server = new EmbeddedServer(["--workers", "2"]);
  await server.start();
  scratch = mkdtempSync(join(tmpdir(), "sortie-docs-"));
  mkdirSync(join(scratch, "bin"));
  mkdirSync(join(scratch, "work"));
  for (const name of ["test", "examples", "docs"]) {
    if (existsSync(join(ROOT, name))) symlinkSync(join(ROOT, name), join(scratch, "work", name));
  }
  const sortie = [...NODE, join(ROOT, "packages/cli/src/main.ts")].map((word) => `'${word}'`).join(" ");
  program("sortie", `exec ${sortie} "$@"`);
  program("npx", '[ "$1" = sortie ] || exit 127; exec "$@"');
  programs = mkdtempSync(join(ROOT, "test/docs/.programs-"));
});
afterAll(async () => {
  await server?.dispose();
  for (const folder of [scratch, programs]) if (folder) rmSync(folder, { recursive: true, force: true });
});

function program(name: string, body: string): void {
  const path = join(scratch, "bin", name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}

/** Runs a program to its end. @returns all that it printed, on either stream, as it came */
async function printedBy(command: string, args: readonly string[], cwd: string): Promise<string> {
  const child = spawn(command, args, {
    cwd,
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SORTIE|CUOPT)_/.test(name))),
      PATH: `${join(scratch, "bin")}${delimiter}${process.env["PATH"]}`,
      NO_COLOR: "1",
      FORCE_COLOR: "0",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (more) => (text += more));
  await once(child, "close");
  return text;
}

/** Runs a console session in one shell. @returns the lines that each command printed */
async function runSession(commands: readonly string[]): Promise<string[][]> {
  // Each command leaves its exit code to the next, as in a shell at which somebody types.
  const script = commands
    .map(
      (command) =>
        `${command.replaceAll(ADDRESS, `localhost:${server.port}`)}\nc=$?; printf '${END_OF_OUTPUT}'; (exit $c)`,
    )
    .join("\n");
  const text = await printedBy("bash", ["-c", `exec 2>&1\n${script}`], join(scratch, "work"));
  return text
    .split(END_OF_OUTPUT)
    .slice(0, commands.length)
    .map((output) => linesOf(output.replaceAll(`localhost:${server.port}`, ADDRESS)));
}

const linesOf = (text: string): string[] => (text.trimEnd() === "" ? [] : text.trimEnd().split("\n"));

/** Replaces the block that begins at this line. */
function rewrite(path: string, snippet: Snippet, text: string): void {
  const lines = readFileSync(path, "utf8").split("\n");
  const at = lines.findIndex((_, i) => lines.slice(i, i + snippet.text.split("\n").length).join("\n") === snippet.text);
  lines.splice(at, snippet.text.split("\n").length, ...text.split("\n"));
  writeFileSync(path, lines.join("\n"));
}

describe.each(DOCUMENTS)("%s", (document) => {
  const path = join(ROOT, document);
  const snippets = snippetsOf(readFileSync(path, "utf8"));
  const runnable = snippets.map((snippet, index) => ({ snippet, next: snippets[index + 1] }));

  for (const { snippet, next } of runnable) {
    const name = `line ${snippet.line}: ${snippet.text.split("\n")[0]}`;
    if (snippet.notRun !== undefined || snippet.language === "text") continue;
    if (snippet.language === "console") {
      it(name, { timeout: 120_000 }, async () => {
        const shown = commandsOf(snippet.text);
        const printed = await runSession(shown.map(({ command }) => command));
        if (update) {
          const blocks = shown.map(({ command, output }, i) => {
            const leavesOut = output.some((line) => line.trim() === "…");
            return [`$ ${command}`, ...(leavesOut ? output : (printed[i] as string[]))].join("\n");
          });
          rewrite(path, snippet, blocks.join("\n"));
          return;
        }
        for (const [i, { command, output }] of shown.entries()) {
          const lines = printed[i] ?? [];
          if (!isShown(lines, linesOf(output.join("\n")))) {
            expect(lines.map(steady), `what "${command}" prints`).toEqual(output.map(steady));
          }
        }
      });
    } else {
      it(name, { timeout: 120_000 }, async () => {
        const file = join(programs, `${snippet.line}.ts`);
        writeFileSync(file, snippet.text.replaceAll(ADDRESS, `localhost:${server.port}`));
        const [node = "", ...flags] = NODE;
        const lines = linesOf(await printedBy(node, [...flags, file], join(scratch, "work")));
        // What it prints is shown right beneath it.
        const shown = next?.language === "text" ? next.text : "";
        if (update && next?.language === "text") rewrite(path, next, lines.join("\n"));
        else if (!isShown(lines, linesOf(shown))) expect(lines.map(steady)).toEqual(linesOf(shown).map(steady));
      });
    }
  }

  it("names a reason for every block that is not run", () => {
    for (const { notRun } of snippets) if (notRun !== undefined) expect(notRun.length).toBeGreaterThan(10);
  });
});
