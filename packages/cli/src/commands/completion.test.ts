// The completion scripts hold every command and option, and bash completes with its own.
import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, it } from "vitest";
import { COMMANDS } from "../command-list.ts";
import { bashScript, type CompletedCommand, fishScript, zshScript } from "../completion-scripts.ts";
import { completedCommands } from "./completion.ts";

let commands: readonly CompletedCommand[];
beforeAll(async () => {
  commands = await completedCommands();
});

it.each([
  ["bash", bashScript, (command: string) => new RegExp(`^ +${command}\\) _sortie_offer (.*) ;;$`, "m")],
  ["zsh", zshScript, (command: string) => new RegExp(`^ +${command}\\) _arguments ((?:.*\\\\\\n)*.*) ;;$`, "m")],
  [
    "fish",
    fishScript,
    (command: string) => new RegExp(`((?:^complete .*seen_subcommand_from ${command}'.*\\n)+)`, "m"),
  ],
] as const)("a script for %s has every command with every option", (shell, scriptOf, partOf) => {
  const script = scriptOf(commands);
  expect(commands.map(({ name }) => name)).toEqual(COMMANDS.map(({ name }) => name));
  for (const { name, options } of commands) {
    const part = partOf(name).exec(script)?.[1] ?? "";
    expect(part, `${shell}, ${name}`).not.toBe("");
    for (const option of [...options.map((it) => it.name), "help"]) {
      const flag = shell === "fish" ? `-l ${option}` : `--${option}`;
      expect(part, `${shell}, ${name}`).toMatch(new RegExp(`(?<![\\w-])${flag}(?![\\w-])`));
    }
  }
});

describe("in bash", () => {
  /** What is offered for the last of the words. */
  function offered(...words: string[]): string[] {
    const line = [
      bashScript(commands),
      `COMP_WORDS=(sortie ${words.map((word) => `'${word}'`).join(" ")})`,
      `COMP_CWORD=${words.length}`,
      "_sortie",
      `printf "%s\\n" "\${COMPREPLY[@]}"`,
    ].join("\n");
    return execFileSync("bash", ["--norc", "-c", line], { encoding: "utf8" })
      .split("\n")
      .filter((word) => word !== "");
  }

  it("commands are completed", () => {
    expect(offered("sta")).toEqual(["status"]);
    expect(offered("")).toEqual(expect.arrayContaining(["serve", "solve", "doctor", "--version"]));
  });

  it("options are completed, each for its command", () => {
    expect(offered("wait", "abc", "--time")).toEqual(["--timeout"]);
    expect(offered("jobs", "--s")).toEqual(["--server", "--state"]);
    expect(offered("delete", "--timeout")).toEqual([]);
  });

  it("values are completed where they are known, after a blank and after a sign", () => {
    expect(offered("jobs", "--state", "c")).toEqual(["completed", "cancelled"]);
    expect(offered("jobs", "--state", "=", "f")).toEqual(["failed"]);
    expect(offered("jobs", "--state", "=")).toContain("queued");
    expect(offered("solve", "model.mps", "--set", "time_l")).toEqual(["time_limit="]);
  });

  it("words that stand after a command are completed in their place only", () => {
    expect(offered("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(offered("token", "re")).toEqual(["revoke"]);
    expect(offered("token", "list", "re")).toEqual([]);
  });

  it("files are left to bash", () => {
    expect(offered("solve", "mod")).toEqual([]);
    expect(offered("result", "abc", "-o", "out")).toEqual([]);
  });
});
