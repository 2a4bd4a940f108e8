// What `sortie solve` is asked for.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chosenBy } from "../open-server.ts";
import { readSolveOptions } from "./solve-options.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-options-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("settings of a solve", () => {
  it("come from a file, from --set and from options, which are the strongest", async () => {
    const file = join(folder, "p.txt");
    writeFileSync(file, "time_limit = 1\nmip_relative_gap = 0.05\nmethod = 3\n");
    const args = ["m.mps", "--params-file", file, "--set", "time_limit=2", "--time-limit", "3", "--gap", "0.01"];
    const { settings } = await readSolveOptions(args);
    expect(settings.lp.settings.values).toMatchObject({ time_limit: 3, method: 3 });
    expect(settings.mip.settings.values).toMatchObject({ time_limit: 3, relative_mip_gap: 0.01 });
    // A file lists the settings of all kinds of models: nothing to be told of.
    expect(settings.mip.leftOut.filter(({ isDeliberate }) => isDeliberate)).toEqual([]);
  });

  it("may be any parameter, with a negative number too", async () => {
    const { settings } = await readSolveOptions([
      "m.mps",
      "--presolve",
      "-1",
      "--mip-scaling=0",
      "--pdlp-precision",
      "mixed",
    ]);
    expect(settings.mip.settings.values).toMatchObject({ presolver: -1, mip_scaling: 0 });
    expect(settings.lp.settings.values).toMatchObject({ pdlp_precision: 2 });
  });

  it("ask for the log as cuopt_cli does", async () => {
    expect((await readSolveOptions(["m.mps"])).log).toBeUndefined();
    expect((await readSolveOptions(["m.mps", "--log-to-console", "true"])).log).toBe(true);
    expect((await readSolveOptions(["m.mps", "--log-to-console", "F"])).log).toBe(false);
    expect((await readSolveOptions(["m.mps", "--log"])).log).toBe(true);
  });
});

describe("places of solutions", () => {
  it("are the file that is named, or a folder for several models", async () => {
    const out = join(folder, "s.json");
    expect((await readSolveOptions(["a.mps", "-o", out])).solutionFiles).toEqual(new Map([["a.mps", out]]));
    const many = await readSolveOptions(["x/a.mps.gz", "b.lp", "-", "-o", join(folder, "all")]);
    expect(many.solutionFiles).toEqual(
      new Map([
        ["x/a.mps.gz", join(folder, "all", "a.sol")],
        ["b.lp", join(folder, "all", "b.sol")],
        ["-", join(folder, "all", "stdin.sol")],
      ]),
    );
    const one = await readSolveOptions(["a.mps", "--solution-file", folder]);
    expect(one.solutionFiles.get("a.mps")).toBe(join(folder, "a.sol"));
  });

  it("are looked at before the solve", async () => {
    await expect(readSolveOptions(["a.mps", "-o", join(folder, "no", "s.sol")])).rejects.toThrow(
      /there is no folder .*no$/,
    );
    await expect(readSolveOptions(["a.mps", "-o", join(folder, "a.mps")])).rejects.toThrow(/called as a model is/);
    const two = ["x/a.mps", "y/a.lp", "-o", folder];
    await expect(readSolveOptions(two)).rejects.toThrow(/x\/a\.mps and y\/a\.lp would both be written to/);
    writeFileSync(join(folder, "s.sol"), "");
    await expect(readSolveOptions(["a.mps", "b.mps", "-o", join(folder, "s.sol")])).rejects.toThrow(/it is a folder/);
  });
});

it.each([
  [["--server", "h:1", "--local", "m.mps"], "--local and --server exclude each other"],
  [["--plot", "--no-plot", "m.mps"], "--plot and --no-plot exclude each other"],
  [["--values", "m.mps"], "--values goes with --json; -o FILE writes values to a file"],
  [["--initial-solution", "s.sol", "a.mps", "b.mps"], "--initial-solution is of one model; 2 files are named"],
  [["-", "-"], "- can be named once"],
  [["--format", "xml", "m"], '--format is "xml"; mps and lp are allowed'],
  [[], "solve needs a file (sortie solve --help tells the options)"],
  [["m.mps", "--params-file", "nowhere.txt"], "--params-file nowhere.txt cannot be read"],
])("%j are refused", async (args, message) => {
  await expect(readSolveOptions(args)).rejects.toThrow(message);
});

describe("the server of a solve", () => {
  const cuopt = { CUOPT_REMOTE_HOST: "h", CUOPT_REMOTE_PORT: "1" };

  it("is chosen by the option, else by Sortie's variable, else by both of cuOpt's, else embedded", () => {
    expect(chosenBy({ server: "h:2" }, { ...cuopt, SORTIE_SERVER: "h:3" })).toBe("option");
    expect(chosenBy({}, { ...cuopt, SORTIE_SERVER: "h:3" })).toBe("sortie");
    expect(chosenBy({}, cuopt)).toBe("cuopt");
    expect(chosenBy({}, { CUOPT_REMOTE_HOST: "h" })).toBe("nobody");
    expect(chosenBy({}, { CUOPT_REMOTE_PORT: "1" })).toBe("nobody");
  });

  it("is embedded with --local whatever the environment says", () => {
    expect(chosenBy({ local: true }, { ...cuopt, SORTIE_SERVER: "h:3" })).toBe("nobody");
  });
});
