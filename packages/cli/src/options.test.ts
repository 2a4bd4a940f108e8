// The options of a command.
import { describe, expect, it } from "vitest";
import { parseOptions } from "./options.ts";

const TABLE = { presolve: { type: "string" }, json: { type: "boolean" }, "log-file": { type: "string" } } as const;

describe("options", () => {
  it("take negative numbers as values", async () => {
    const { values, positionals } = await parseOptions("x", ["a", "--presolve", "-1", "--json", "-"], TABLE);
    expect(values).toEqual({ presolve: "-1", json: true });
    expect(positionals).toEqual(["a", "-"]);
    expect((await parseOptions("x", ["--presolve=-.5"], TABLE)).values).toEqual({ presolve: "-.5" });
    expect((await parseOptions("x", ["--presolve", "-inf"], TABLE)).values).toEqual({ presolve: "-inf" });
  });

  it.each([
    [["--persolve", "1"], /^--persolve is not an option; did you mean --presolve\? \(sortie x --help/],
    [["--zzz"], /^--zzz is not an option \(sortie x --help/],
    [["--log-file"], /--log-file/],
    [["-x"], /^-x is not an option \(sortie x --help/],
  ])("are refused where they are wrong: %j", async (args, message) => {
    await expect(parseOptions("x", args, TABLE)).rejects.toThrow(message);
  });

  it("are found by another name that they have elsewhere", async () => {
    const synonymOf = (name: string) => (name === "seed" ? "random-seed" : undefined);
    await expect(parseOptions("x", ["--seed=3"], TABLE, synonymOf)).rejects.toThrow(/did you mean --random-seed\?/);
  });
});
