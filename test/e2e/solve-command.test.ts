// `sortie solve` as a person uses it: real files, wrong files, limits, Ctrl-C.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const data = (name: string): string => join(root, "test/data/lp", `${name}.mps.gz`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-e2e-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the program; `onOutput` sees all standard output so far and may act on the process. */
function sortie(args: readonly string[], onOutput?: (out: string, interrupt: () => void) => void): Promise<Run> {
  const child = spawn(
    process.execPath,
    [
      "--conditions=sortie-source",
      "--disable-warning=ExperimentalWarning",
      join(root, "packages/cli/src/main.ts"),
      ...args,
    ],
    // Temporary files of the run lie where the test can see that none stays.
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TMPDIR: folder } },
  );
  let out = "";
  let err = "";
  child.stdout.on("data", (text) => {
    out += text;
    onOutput?.(out, () => child.kill("SIGINT"));
  });
  child.stderr.on("data", (text) => {
    err += text;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

describe("sortie solve", () => {
  it("solves a MIP through the embedded server, shows incumbents and writes the solution", async () => {
    const file = join(folder, "egout.sol");
    const { code, out, err } = await sortie(["solve", data("egout"), "-o", file]);
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toMatch(/MIP, 98 rows, 141 columns/);
    expect(out).toMatch(/uploaded .* in \d+ chunks, job [0-9a-f-]{36}/);
    expect(out).toMatch(/incumbent 568\.1007/);
    expect(out).toMatch(/Status: Optimal\nObjective: 568\.1007/);
    expect(readFileSync(file, "utf8")).toMatch(/^# Status: Optimal\n# Objective value: 568\.100/);
    expect(readdirSync(folder)).toEqual(["egout.sol"]);
  });

  it("says that a model is infeasible, which is an answer", async () => {
    const { code, out } = await sortie(["solve", data("galenet")]);
    expect(out).toMatch(/Status: Infeasible/);
    expect(code).toBe(0);
  });

  it("stops at a time limit with the best that was found", async () => {
    const { code, out } = await sortie(["solve", data("mas76"), "--time-limit", "2"]);
    expect(out).toMatch(/Status: Time limit\nObjective: 4\d{4}/);
    expect(code).toBe(0);
  });

  it("cancels at Ctrl-C and keeps the incumbent", async () => {
    const file = join(folder, "mas76.sol");
    let interrupted = false;
    const { code, out } = await sortie(["solve", data("mas76"), "-o", file], (text, interrupt) => {
      if (interrupted || !text.includes("incumbent")) return;
      interrupted = true;
      interrupt();
    });
    expect(out).toMatch(/Cancelled\. Best objective found: \d+/);
    expect(code).toBe(130);
    expect(readFileSync(file, "utf8")).toMatch(/^# Status: Feasible\n/);
    expect(readdirSync(folder)).toEqual(["mas76.sol"]);
  });

  it("drops integrality on request", async () => {
    const { out } = await sortie(["solve", data("flugpl"), "--relaxation"]);
    expect(out).toMatch(/Objective: 1167185\.7/);
  });

  it("prints the solver's log on request, and what has no effect here", async () => {
    const { out } = await sortie(["solve", data("flugpl"), "--log", "--set", "num_gpus=2"]);
    expect(out).toMatch(/Setting num_gpus = 2 has no effect here/);
    expect(out).toMatch(/Optimal solution found\./);
  });

  it.each([
    ["a file that is not there", ["solve", "nowhere.mps"], /nowhere\.mps: there is no such file/],
    ["no file at all", ["solve"], /solve needs a file/],
    ["an unknown option", ["solve", "x.mps", "--fast"], /--fast/],
    ["an unknown setting", ["solve", data("afiro"), "--set", "tme_limit=3"], /setting tme_limit is unknown/],
    ["a setting out of range", ["solve", data("flugpl"), "--gap", "7"], /mip_relative_gap is 7; allowed are 0 to 0\.1/],
    ["a server that is not there", ["solve", data("afiro"), "--server", "127.0.0.1:1"], /cannot be reached/],
    ["an unknown command", ["sove"], /did you mean solve\?/],
  ])("tells %s in one line and exits with 1", async (_, args, message) => {
    const { code, err } = await sortie(args);
    expect(err).toMatch(message);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
  });

  it("shows a server its token, and tells what to do when it has none", async () => {
    const where = ["--data", join(folder, "data")];
    const { out: token } = await sortie(["token", "create", "--tenant", "acme", ...where]);
    const stop = Promise.withResolvers<() => void>();
    const address = Promise.withResolvers<string>();
    const server = sortie(["serve", "--port", "0", ...where], (out, interrupt) => {
      const listening = /listening on (\S+)/.exec(out);
      if (listening?.[1]) address.resolve(listening[1]);
      stop.resolve(interrupt);
    });
    const solve = ["solve", data("afiro"), "--server", await address.promise];
    const refused = await sortie(solve);
    expect(refused.err).toMatch(/the server refused: .*authorization: Bearer TOKEN/);
    expect(refused.code).toBe(1);
    const solved = await sortie([...solve, "--token", token.trim()]);
    expect(solved.out).toMatch(/Objective: -464\.753/);
    // The same over HTTP/1.1, as a function's URL needs it.
    const url = ["--server", `http://${await address.promise}/`, "--token", token.trim()];
    expect((await sortie(["solve", data("afiro"), ...url])).out).toMatch(/Objective: -464\.753/);
    (await stop.promise)();
    expect((await server).code).toBe(0);
  });

  it("names line and column of a fault in the file", async () => {
    const file = join(folder, "wrong.mps");
    writeFileSync(file, "NAME x\nROWS\n N cost\n L r1\nCOLUMNS\n x cost 1 r1 abc\nRHS\nENDATA\n");
    const { code, err } = await sortie(["solve", file]);
    expect(err).toMatch(/wrong\.mps: line 6, column \d+: .*abc/);
    expect(code).toBe(1);
  });
});
