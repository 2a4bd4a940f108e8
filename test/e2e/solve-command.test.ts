// `sortie solve` as a person uses it: real files, wrong files, limits, Ctrl-C.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const data = (name: string): string => join(root, "test/data/lp", `${name}.mps.gz`);

const PROGRAM = [
  "--conditions=sortie-source",
  "--disable-warning=ExperimentalWarning",
  join(root, "packages/cli/src/main.ts"),
];

/** Each test starts programs, some of them several. */
const TEST_MS = 240_000;

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

interface Surroundings {
  /** Sees all standard output so far and may act on the process. */
  readonly onOutput?: (out: string, interrupt: () => void) => void;
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** Settings from outside would make the tests depend on where they run. */
const SURROUNDINGS = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SORTIE|CUOPT)_/.test(name)));

/** Runs the program. */
function sortie(args: readonly string[], { onOutput, stdin, env }: Surroundings = {}): Promise<Run> {
  const child = spawn(
    process.execPath,
    [...PROGRAM, ...args],
    // Temporary files of the run lie where the test can see that none stays.
    { stdio: ["pipe", "pipe", "pipe"], env: { ...SURROUNDINGS, TMPDIR: folder, ...env } },
  );
  child.stdin.end(stdin);
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

/** Runs a server for as long as `work` takes. */
async function withServer<T>(args: readonly string[], work: (address: string) => Promise<T>): Promise<T> {
  const address = Promise.withResolvers<string>();
  let stop = () => {};
  const server = sortie(["serve", "--port", "0", "--data", join(folder, "data"), ...args], {
    onOutput: (out, interrupt) => {
      stop = interrupt;
      const listening = /listening on (\S+)/.exec(out)?.[1];
      if (listening) address.resolve(listening);
    },
  });
  void server.then(({ err }) => address.reject(new Error(`the server ended: ${err}`)));
  try {
    return await work(await address.promise);
  } finally {
    stop();
    expect((await server).code).toBe(0);
  }
}

const documents = (out: string): Record<string, unknown>[] =>
  out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Ids of the processes on whose command line this stands. */
function processesNaming(text: string): string[] {
  return readdirSync("/proc").filter((id) => {
    try {
      return /^\d+$/.test(id) && readFileSync(`/proc/${id}/cmdline`, "utf8").includes(text);
    } catch {
      return false; // It has just ended.
    }
  });
}

describe("sortie solve", { timeout: TEST_MS }, () => {
  it("solves a MIP through the embedded server, shows incumbents and writes the solution", async () => {
    const file = join(folder, "egout.sol");
    const { code, out, err } = await sortie(["solve", data("egout"), "-o", file]);
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toMatch(/MIP, 98 rows, 141 columns/);
    expect(out).toMatch(/uploaded .* kB, job [0-9a-f-]{36}/);
    expect(out).toMatch(/incumbent 568\.1007/);
    expect(out).toMatch(/Optimal solution found\.\nSolution objective: 568\.1007 {2}Bound: .*\nStatus: Optimal/);
    expect(readFileSync(file, "utf8")).toMatch(/^# Status: Optimal\n# Objective value: 568\.100/);
    expect(readdirSync(folder)).toEqual(["egout.sol"]);
  });

  it("sends a model in chunks of a size that is asked for", async () => {
    const { out } = await sortie(["solve", data("flugpl"), "--chunk-bytes", "256"]);
    expect(out).toMatch(/uploaded .* in \d\d chunks, job/);
    expect(out).toMatch(/Solution objective: 1201500/);
  });

  it("says that a model is infeasible, which is an answer", async () => {
    const { code, out } = await sortie(["solve", data("galenet")]);
    expect(out).toMatch(/Status: Infeasible/);
    expect(code).toBe(0);
  });

  it("stops at a time limit with the best that was found, and draws how it was found on request", async () => {
    const { code, out } = await sortie(["solve", data("mas76"), "--time-limit", "2", "--plot"]);
    expect(out).toMatch(/Solution objective: 4\d{4}.*\nStatus: Time limit/);
    expect(out).toMatch(/incumbent {3}. bound/);
    expect(code).toBe(0);
  });

  it("cancels at Ctrl-C and keeps the incumbent", async () => {
    const file = join(folder, "mas76.sol");
    let interrupted = false;
    const onOutput = (text: string, interrupt: () => void) => {
      if (interrupted || !text.includes("incumbent")) return;
      interrupted = true;
      interrupt();
    };
    const { code, out } = await sortie(["solve", data("mas76"), "-o", file], { onOutput });
    expect(out).toMatch(/Cancelled\. Best objective found: \d+/);
    expect(code).toBe(130);
    expect(readFileSync(file, "utf8")).toMatch(/^# Status: Feasible\n/);
    expect(readdirSync(folder)).toEqual(["mas76.sol"]);
  });

  it("leaves at a second Ctrl-C", async () => {
    const onOutput = (text: string, interrupt: () => void) => {
      if (text.includes("incumbent")) interrupt();
      if (text.includes("cancelling")) interrupt();
    };
    expect((await sortie(["solve", data("mas76")], { onOutput })).code).toBe(130);
    // Neither data nor a solver that goes on stay behind.
    expect(readdirSync(folder)).toEqual([]);
    if (process.platform === "linux")
      await expect.poll(() => processesNaming(folder), { timeout: TEST_MS }).toEqual([]);
  });

  it("drops integrality on request", async () => {
    const { out } = await sortie(["solve", data("flugpl"), "--relaxation"]);
    expect(out).toMatch(/^Status: Optimal {2}Objective: 1167185\.7\d* {2}Iterations: \d+ {2}Time: .* s$/m);
  });

  it("prints the solver's log on request, and what has no effect here", async () => {
    const log = join(folder, "log.txt");
    const { out } = await sortie(["solve", data("flugpl"), "--log", "--log-file", log, "--set", "num_gpus=2"]);
    expect(out).toMatch(/Setting num_gpus = 2 has no effect here/);
    expect(out).toMatch(/Optimal solution found\.\nSolution objective: 1201500, relative_mip_gap/);
    expect(readFileSync(log, "utf8")).toMatch(/Solution objective: 1201500, relative_mip_gap/);
  });

  it("reads standard input", async () => {
    const { out, code } = await sortie(["solve", "-"], { stdin: readFileSync(data("afiro")) });
    expect(out).toMatch(/^standard input: LP, 27 rows/);
    expect(out).toMatch(/Objective: -464\.7531429/);
    expect(code).toBe(0);
    const lp = "max\n obj: 2 x + 3 y\nst\n c: x + y <= 6.5\nbounds\n y <= 3.2\ngeneral\n x y\nend\n";
    const read = await sortie(["solve", "-", "--format", "lp"], { stdin: Buffer.from(lp) });
    expect(read.out).toMatch(/Solution objective: 15 /);
  });

  it("solves several models one after the other, and the worst of them is its exit code", async () => {
    const broken = join(folder, "broken.mps");
    writeFileSync(broken, "NAME x\nROWS\n N cost\n X r1\n");
    const out = join(folder, "all");
    const run = await sortie(["solve", data("afiro"), broken, data("galenet"), data("flugpl"), "-o", `${out}/`]);
    expect(run.code).toBe(1);
    expect(run.err).toMatch(/^sortie: .*broken\.mps: line 4, column 2: .*\n$/);
    const table = run.out.slice(run.out.indexOf("\nfile ")).trim().split("\n");
    expect(table.map((line) => line.trim().split(/ {2,}/).slice(0, 3))).toEqual([
      ["file", "status", "objective"],
      ["afiro.mps.gz", "Optimal", "-464.7531429"],
      ["broken.mps", "fault", "-"],
      ["galenet.mps.gz", "Infeasible", "-"],
      ["flugpl.mps.gz", "Optimal", "1201500"],
    ]);
    expect(readdirSync(out).toSorted()).toEqual(["afiro.sol", "flugpl.sol", "galenet.sol"]);
    // One server for all of them.
    expect(run.out.match(/embedded server/g)).toHaveLength(1);
  });

  it("tells the fault of every broken file in one line", async () => {
    const broken = ["mps", "lp"].flatMap((format) => {
      const from = join(root, "packages/solve/testdata", `${format}-broken`);
      return readdirSync(from)
        .filter((name) => name.endsWith(`.${format}`))
        .map((name) => join(from, name));
    });
    expect(broken.length).toBeGreaterThan(50);
    const { code, out, err } = await sortie(["solve", "--json", ...broken]);
    expect(code).toBe(1);
    const lines = err.trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/: line \d+, column \d+: .+$/, ""))).toEqual(
      broken.map((file) => `sortie: ${file}`),
    );
    expect(documents(out).map(({ file, error, exitCode }) => ({ file, error, exitCode }))).toEqual(
      broken.map((file, index) => ({ file, error: lines[index]?.replace(/^sortie: /, ""), exitCode: 1 })),
    );
    // Alone as together.
    const alone = await sortie(["solve", String(broken[0])]);
    expect(alone).toMatchObject({ code: 1, out: "", err: `${lines[0]}\n` });
  });

  it("prints one JSON document for each model, and nothing else", async () => {
    const file = join(folder, "flugpl.json.gz");
    const { out, err, code } = await sortie(["solve", data("flugpl"), "nowhere.mps", "--json", "--values"]);
    const [solved, failed] = documents(out);
    expect(solved).toMatchObject({
      file: data("flugpl"),
      kind: "mip",
      rows: 18,
      columns: 18,
      server: "embedded",
      state: "completed",
      status: "optimal",
      objective: 1201500,
      gap: 0,
      exitCode: 0,
    });
    expect(Object.keys(solved?.["values"] as object)).toHaveLength(18);
    expect(Object.keys(solved?.["times"] as object)).toContain("totalSeconds");
    expect(failed).toMatchObject({ file: "nowhere.mps", error: "nowhere.mps: there is no such file", exitCode: 1 });
    expect(err).toBe("sortie: nowhere.mps: there is no such file\n");
    expect(code).toBe(1);
    const written = await sortie(["solve", data("afiro"), "--json", "-o", file]);
    const document = JSON.parse(gunzipSync(readFileSync(file)).toString());
    expect(document).toMatchObject({ status: "optimal", kind: "lp" });
    expect(Object.keys(document.values)).toHaveLength(32);
    expect(Object.keys(document.duals)).toHaveLength(27);
    expect(documents(written.out)[0]).not.toHaveProperty("values");
  });

  it("takes cuopt_cli's options", async () => {
    const params = join(folder, "params.txt");
    const dumped = await sortie(["solve", "--dump-params", "--time-limit", "7", "--mip-relative-gap=0.02"]);
    expect(dumped.out).toMatch(/^time_limit = 7$/m);
    writeFileSync(params, dumped.out);
    const again = await sortie(["solve", "--params-file", params, "--dump-params"]);
    expect(again.out).toBe(dumped.out);
  });

  it("starts the search from a solution", async () => {
    const solution = join(folder, "egout.sol");
    await sortie(["solve", data("egout"), "--presolve", "off", "--solution-file", solution]);
    const started = await sortie(["solve", data("egout"), "--initial-solution", solution, "--log-to-console", "true"]);
    expect(started.out).toMatch(/start solution is feasible/i);
    const other = await sortie(["solve", data("flugpl"), "--initial-solution", solution]);
    expect(other.err).toMatch(/egout\.sol: line 3: unknown variable/);
    expect(other.code).toBe(1);
  });

  it("says which setting has no meaning for the kind of model", async () => {
    const { out, err } = await sortie(["solve", data("afiro"), "--mip-relative-gap", "0.01"]);
    expect(err).toBe("sortie: --mip-relative-gap: has no meaning for an LP, and is not sent\n");
    expect(out).toMatch(/Objective: -464\.753/);
  });

  it("ends when nobody reads its output any more", async () => {
    const child = spawn(process.execPath, [...PROGRAM, "solve", "--dump-params"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.destroy();
    await new Promise<void>((resolve) => child.on("close", () => resolve()));
  });

  it.each([
    ["a file that is not there", ["solve", "nowhere.mps"], /nowhere\.mps: there is no such file/],
    ["no file at all", ["solve"], /solve needs a file/],
    ["an unknown option", ["solve", "x.mps", "--jsno"], /--jsno is not an option; did you mean --json\?/],
    ["a setting's name on the wire as an option", ["solve", "x.mps", "--seed", "3"], /did you mean --random-seed\?/],
    [
      "an unknown setting",
      ["solve", data("afiro"), "--set", "tme_limit=3"],
      /--set tme_limit=3: setting tme_limit is unknown; did you mean time_limit\?/,
    ],
    [
      "a setting out of range",
      ["solve", data("flugpl"), "--gap", "7"],
      /--gap: setting mip_relative_gap is 7; allowed are 0 to 0\.1/,
    ],
    ["a value that is none", ["solve", data("afiro"), "--crossover", "maybe"], /crossover is "maybe"; true or false/],
    ["a server that is not there", ["solve", data("afiro"), "--server", "127.0.0.1:1"], /127\.0\.0\.1:1/],
    ["a place that is not there", ["solve", data("afiro"), "-o", "nowhere/x.sol"], /there is no folder nowhere/],
    ["an unknown command", ["sove"], /did you mean solve\?/],
  ])("tells %s in one line and exits with 1", async (_, args, message) => {
    const { code, err } = await sortie(args);
    expect(err).toMatch(message);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
  });

  it("shows a server its token, and tells what to do when it has none", async () => {
    const { out: token } = await sortie(["token", "create", "--tenant", "acme", "--data", join(folder, "data")]);
    await withServer([], async (address) => {
      const solve = ["solve", data("afiro"), "--server", address];
      const refused = await sortie(solve);
      expect(refused.err).toMatch(/authorization: Bearer TOKEN/);
      expect(refused.code).toBe(1);
      const solved = await sortie([...solve, "--token", token.trim()]);
      expect(solved.out).toMatch(/Objective: -464\.753/);
      // The same over HTTP/1.1, as a function's URL needs it.
      const url = ["--server", `http://${address}/`, "--token", token.trim()];
      expect((await sortie(["solve", data("afiro"), ...url])).out).toMatch(/Objective: -464\.753/);
    });
  });

  it("goes to the server that the environment names, and behaves as cuopt_cli where cuOpt's variables do", async () => {
    await withServer([], async (address) => {
      const [host = "", port = ""] = address.split(":");
      const cuopt = { CUOPT_REMOTE_HOST: host, CUOPT_REMOTE_PORT: port };
      const remote = await sortie(["solve", data("egout"), "--keep"], { env: cuopt });
      expect(remote.out).toMatch(/^Using remote GPU backend\n/);
      // The server's log, relayed.
      expect(remote.out).toMatch(/Solution objective: 568\.1007\d*, relative_mip_gap/);
      const named = await sortie(["solve", data("afiro"), "--json"], { env: { ...cuopt, SORTIE_SERVER: address } });
      expect(documents(named.out)[0]).toMatchObject({ server: address, exitCode: 0 });
      const local = await sortie(["solve", data("afiro"), "--local"], { env: cuopt });
      expect(local.out).toMatch(/embedded server/);
    });
  });
});
