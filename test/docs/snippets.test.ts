// How console sessions of documents are read and compared.
import { describe, expect, it } from "vitest";
import { commandsOf, isShown, snippetsOf } from "./snippets.ts";

describe("a document", () => {
  it("gives its blocks with their lines, and why one is not run", () => {
    const text =
      "# A\n\n```console\n$ a\nb\n```\n\n<!-- not run: needs a moon -->\n```ts\nx;\n```\n\n```json\n{}\n```\n";
    expect(snippetsOf(text)).toEqual([
      { language: "console", text: "$ a\nb", line: 4, notRun: undefined },
      { language: "ts", text: "x;", line: 10, notRun: "needs a moon" },
    ]);
  });
});

describe("a session", () => {
  it("has commands, which may go on over lines, and their output", () => {
    expect(commandsOf("$ a \\\n  --b\nout\n$ c")).toEqual([
      { command: "a \\\n  --b", output: ["out"] },
      { command: "c", output: [] },
    ]);
  });

  it("is compared without what differs from run to run", () => {
    const shown = ["job 3b54c0c9-a45b-4abe-9105-a27a59259b86 took 1.25 s", "…", "Objective: 7615"];
    const id = "00000000-0000-4000-8000-000000000000";
    expect(isShown([`job ${id} took 13 s`, "x", "y", "Objective: 7615"], shown)).toBe(true);
    expect(isShown([`job ${id} took 13 s`, "Objective: 7616"], shown)).toBe(false);
    expect(isShown([`job ${id} took 13 s`, "Objective: 7615", "more"], shown)).toBe(false);
  });
});
