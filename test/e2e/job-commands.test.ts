// The commands around jobs as a person and a script use them: on a real server, and on one that is not Sortie.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type SortieClient, settingValues } from "@sortie/client";
import { connect } from "@sortie/client/node";
import { type EmbeddedServer, openEmbedded } from "@sortie/server";
import { JobStatus, ResponseStatus } from "@sortie/wire";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { COMMANDS } from "../../packages/cli/src/command-list.ts";
import { openModel, problemMessage } from "../../packages/cli/src/model-file.ts";
import { PARAMETER_OPTIONS } from "../../packages/cli/src/solver-parameters.ts";
import { scriptedServer } from "../client/scripted-server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const file = (name: string): string => join(root, "test/data/lp", `${name}.mps.gz`);
const AFIRO_OBJECTIVE = -464.75314285714285;
const EGOUT_OBJECTIVE = 568.1007;

let folder: string;
let server: EmbeddedServer;
let client: SortieClient;
/** Completed jobs. */
let afiro: string;
let egout: string;
/** Runs until it is cancelled. */
let running: string;

const submit = async (name: string): Promise<string> => {
  const { problem, isMip } = await openModel(file(name), new AbortController().signal);
  const kind = isMip ? "mip" : "lp";
  return client.submit(problemMessage(problem, kind, settingValues(kind, {})));
};

/** The server has one worker: the job before has ended. */
async function startAnother(): Promise<void> {
  running = await submit("mas76");
  // Something is known of it from here on.
  for await (const _incumbent of client.incumbents(running, { pollMs: 50 })) break;
}

beforeAll(async () => {
  // Whatever the surroundings say of a server is not meant for these tests.
  for (const name of Object.keys(process.env)) if (/^(SORTIE|CUOPT)_/.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv("NO_COLOR", "1");
  folder = mkdtempSync(join(tmpdir(), "sortie-job-commands-"));
  server = await openEmbedded();
  vi.stubEnv("SORTIE_SERVER", server.address);
  client = await connect(server.address);
  egout = await submit("egout");
  afiro = await submit("afiro");
  await client.wait(egout);
  await client.wait(afiro);
  await startAnother();
});
afterAll(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in this process. */
async function sortie(name: string, ...args: string[]): Promise<Run> {
  const written = { out: "", err: "" };
  const spies = (["out", "err"] as const).map((stream) =>
    vi.spyOn(stream === "out" ? process.stdout : process.stderr, "write").mockImplementation((chunk) => {
      written[stream] += chunk;
      return true;
    }),
  );
  try {
    const program = await COMMANDS.find((command) => command.name === name)?.load();
    return { code: (await program?.run(args)) ?? -1, ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const json = ({ out }: Run) =>
  out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Runs a command in a process of its own; it has ended when the test has. */
function spawned(...args: string[]): ChildProcess {
  const child = spawn(
    process.execPath,
    ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning", "packages/cli/src/main.ts", ...args],
    { cwd: root, stdio: "pipe" },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = "";
  for await (const piece of stream ?? []) text += piece;
  return text;
}

describe("status", () => {
  it("tells where jobs stand, and of one that is not there", async () => {
    const run = await sortie("status", egout, running, "nothing");
    expect(run.code).toBe(5);
    expect(run.out).toMatch(new RegExp(`^${egout}  completed\n  MIP, 98 rows, 141 columns, 282 nonzeros\n`));
    expect(run.out).toMatch(/objective 568\.1007 {2}bound 568\.1007 {2}gap 0\.0000 %/);
    expect(run.out).toMatch(new RegExp(`${running}  processing\n`));
    expect(run.out).toMatch(/nothing {2}not-found\n {2}the server knows no job of this id\n$/);
  });

  it("prints a line of JSON for each job", async () => {
    const run = await sortie("status", afiro, "nothing", "--json");
    expect(run).toMatchObject({ code: 5, err: "" });
    const [known, unknown] = json(run);
    expect(known).toMatchObject({ id: afiro, state: "completed", kind: "lp", rows: 27, columns: 32, nonzeros: 83 });
    expect(known.objective / AFIRO_OBJECTIVE).toBeCloseTo(1, 9);
    expect(known.timings.solveSeconds).toBeGreaterThan(0);
    expect(unknown).toEqual({ id: "nothing", state: "not-found" });
  });

  it("takes ids from standard input", async () => {
    const child = spawned("status", "-", "--json");
    child.stdin?.end(`${egout}\n${afiro}\n`);
    const out = await textOf(child.stdout);
    expect(json({ out } as Run).map(({ id }) => id)).toEqual([egout, afiro]);
  });
});

describe("wait", () => {
  it("tells how jobs have ended", async () => {
    expect(await sortie("wait", egout, afiro)).toEqual({
      code: 0,
      err: "",
      out: `${egout}  completed  objective 568.1007\n${afiro}  completed  objective -464.7531429\n`,
    });
    expect(await sortie("wait", "nothing")).toMatchObject({ code: 5, out: "nothing  not-found\n" });
  });

  it("leaves when the time is over, and the job goes on", async () => {
    const run = await sortie("wait", running, "--timeout", "0.2", "--json");
    expect(run).toMatchObject({ code: 124, err: expect.stringContaining("not ended within 0.2 s") });
    expect(json(run)).toMatchObject([{ id: running, state: "processing" }]);
  });
});

describe("result", () => {
  it("tells the result and writes it with the model's names", async () => {
    const target = join(folder, "afiro.sol");
    const run = await sortie("result", afiro, "-o", target, "--model", file("afiro"));
    expect(run).toMatchObject({ code: 0, out: expect.stringMatching(/Status: Optimal {2}Objective: -464\.7531429/) });
    expect(run.out).toContain(`wrote ${target}\n`);
    expect(readFileSync(target, "utf8")).toMatch(/^# Status: Optimal\n# Objective value: -464\.7531\d*\nX01 80\n/);
  });

  it("counts variables where it has no names", async () => {
    const target = join(folder, "afiro.json");
    expect((await sortie("result", afiro, "-o", target)).code).toBe(0);
    expect(JSON.parse(readFileSync(target, "utf8"))).toMatchObject({
      id: afiro,
      status: "optimal",
      values: { x0: 80 },
    });
  });

  it("prints one JSON document, with the values if they are wanted", async () => {
    const [facts] = json(await sortie("result", egout, "--json"));
    expect(facts).toMatchObject({ id: egout, status: "optimal", nodes: expect.any(Number) });
    expect(facts.objective).toBeCloseTo(EGOUT_OBJECTIVE, 4);
    expect(facts).not.toHaveProperty("values");
    const [whole] = json(await sortie("result", egout, "--json", "--values", "--model", file("egout")));
    expect(Object.keys(whole.values)).toHaveLength(141);
  });

  it.each([
    ["a job that has not ended", () => [running], 7, /is processing; sortie wait/],
    ["a job that is not there", () => ["nothing"], 5, /knows no job nothing/],
    ["names of another model", () => [afiro, "--model", file("egout")], 1, /141 variables, the result has 32/],
  ])("refuses %s", async (_, args, code, text) => {
    expect(await sortie("result", ...args())).toMatchObject({ code, out: "", err: expect.stringMatching(text) });
  });
});

describe("logs", () => {
  it("prints what there is of a job that runs, and ends", async () => {
    const { code, out } = await sortie("logs", running);
    expect(code).toBe(0);
    expect(out).toMatch(/^Sortie job .*\n/);
  });

  it("goes on from where another reader stopped", async () => {
    const lines = json(await sortie("logs", egout, "--json"));
    expect(lines.length).toBeGreaterThan(5);
    const [first, ...rest] = lines;
    expect(json(await sortie("logs", egout, "--json", "-f", "--from", String(first.byteOffset)))).toEqual(rest);
    expect(await sortie("logs", egout, "--from", String(rest.at(-1).byteOffset))).toEqual({
      code: 0,
      out: "",
      err: "",
    });
  });

  it("leaves at Ctrl-C, and the job goes on", async () => {
    const child = spawned("logs", "-f", running);
    const ended = Promise.all([textOf(child.stderr), once(child, "close")]);
    // The first line shows that it follows.
    await once(child.stdout as NodeJS.ReadableStream, "data");
    child.kill("SIGINT");
    const [err, [code]] = await ended;
    expect([code, err]).toEqual([130, "sortie: left; the job goes on\n"]);
    expect(await client.status(running)).toMatchObject({ state: "processing" });
  });

  it("takes up a connection that breaks, and loses no line", async () => {
    const cut = await breakableWay(server.address);
    const child = spawned("logs", "-f", running, "--server", cut.address);
    let out = "";
    for await (const piece of child.stdout ?? []) {
      const before = out;
      out += piece;
      if (before !== "") continue;
      cut.breakAll();
      await client.cancel(running);
    }
    expect(cut.connections).toBeGreaterThan(1);
    expect(out).toBe((await sortie("logs", running)).out);
    await startAnother();
  });

  it("ends without a fault when its reader has seen enough", async () => {
    const child = spawned("logs", "-f", running);
    const ended = Promise.all([textOf(child.stderr), once(child, "close")]);
    child.stdout?.once("data", () => child.stdout?.destroy());
    await once(child.stdout as NodeJS.ReadableStream, "close");
    // Some last lines, which nobody reads.
    await client.cancel(running);
    const [err, [code]] = await ended;
    expect([code, err]).toEqual([0, ""]);
    await startAnother();
  });
});

describe("incumbents", () => {
  it("prints them in the order found, each better than the one before", async () => {
    const { code, out } = await sortie("incumbents", egout);
    expect(code).toBe(0);
    const objectives = [...out.matchAll(/^ *\d+ {2}(\S+)$/gm)].map((match) => Number(match[1]));
    expect(objectives.length).toBeGreaterThan(1);
    expect(objectives).toEqual(objectives.toSorted((a, b) => b - a));
    expect(objectives.at(-1)).toBeCloseTo(EGOUT_OBJECTIVE, 4);
    expect(await sortie("incumbents", egout, "-f")).toMatchObject({ code: 0, out });
  });

  it("gives their values, by name", async () => {
    const { problem } = await openModel(file("egout"), new AbortController().signal);
    const [first] = json(await sortie("incumbents", egout, "--json", "--values", "--model", file("egout")));
    expect(first).toMatchObject({ index: 0, names: problem.variableNames });
    expect(first.assignment).toHaveLength(141);
    const [name] = first.names.filter((_: string, column: number) => first.assignment[column] !== 0);
    expect((await sortie("incumbents", egout, "--values", "--model", file("egout"))).out).toContain(`      ${name} `);
  });

  it("begins where it is told to", async () => {
    const all = json(await sortie("incumbents", egout, "--json"));
    expect(json(await sortie("incumbents", egout, "--json", "--from", "1"))).toEqual(all.slice(1));
  });

  it("has none for a linear program", async () => {
    expect(await sortie("incumbents", afiro)).toEqual({ code: 0, out: "", err: "" });
  });
});

describe("cancel and delete", () => {
  it("cancels a job once, keeps what it found, and deletes it", async () => {
    const job = await submit("mas76");
    expect(await sortie("cancel", job)).toEqual({ code: 0, out: `${job}  cancelled\n`, err: "" });
    expect(json(await sortie("cancel", job, "--json"))).toMatchObject([
      { id: job, cancelled: true, state: "cancelled" },
    ]);
    expect((await sortie("wait", job)).code).toBe(6);
    expect(await sortie("result", job)).toMatchObject({ code: 6, err: expect.stringContaining("sortie incumbents") });
    expect(await sortie("delete", job)).toEqual({ code: 0, out: `${job}  deleted\n`, err: "" });
    expect(await sortie("delete", job)).toMatchObject({ code: 5, out: `${job}  not-found\n` });
    expect(await sortie("cancel", job)).toMatchObject({ code: 5 });
  });

  it("says that a job had ended before it was to be cancelled", async () => {
    const run = await sortie("cancel", afiro);
    expect(run).toMatchObject({ code: 1, out: expect.stringMatching(/completed {2}\S/) });
  });
});

describe("jobs", () => {
  it("lists jobs as a table, newest first", async () => {
    const { out } = await sortie("jobs");
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ID +KIND +STATE +AGE +SIZE +OBJECTIVE +GAP$/);
    const of = (id: string): number => lines.findIndex((line) => line.startsWith(id));
    expect(of(running)).toBeLessThan(of(afiro));
    expect(lines[of(egout)]).toMatch(/ mip +completed .* 98 × 141 +568\.1007 +0\.0000 %$/);
  });

  it("lists those of a state and a kind, so many as are wanted", async () => {
    const listed = async (...args: string[]) =>
      JSON.parse((await sortie("jobs", "--json", ...args)).out).jobs.map(({ id }: { id: string }) => id);
    expect(await listed("--state", "processing")).toEqual([running]);
    expect(await listed("--state", "completed", "--kind", "lp")).toEqual([afiro]);
    expect(await listed("--kind", "lp", "--kind", "mip", "--limit", "1")).toHaveLength(1);
    expect(await sortie("jobs", "--kind", "train")).toEqual({ code: 0, out: "no jobs\n", err: "" });
  });
});

describe("doctor", () => {
  it("finds nothing wrong with a server of this program, over both ways", async () => {
    const run = await sortie("doctor");
    expect(run).toMatchObject({ code: 0, err: "" });
    expect(run.out).toMatch(/^127\.0\.0\.1:\d+ \(SORTIE_SERVER\)\n/);
    expect(run.out).not.toMatch(/warn|fail/);
    const {
      server: address,
      ok,
      checks,
    } = JSON.parse((await sortie("doctor", "--json", "--server", `http://${server.address}`)).out);
    expect({ address, ok }).toEqual({ address: `http://${server.address}`, ok: true });
    expect(checks.map(({ name }: { name: string }) => name)).toContain("grpc");
  });

  it("fails where nothing listens", async () => {
    expect(await sortie("doctor", "--server", "127.0.0.1:1")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/fail {2}connection .*nothing listens at 127\.0\.0\.1:1\n +start the server/),
    });
  });
});

it.each([
  ["no server", "status", ["x"], /status needs a server: --server .*SORTIE_SERVER/, undefined],
  ["no id", "wait", [], /wait needs the id of a job/, ""],
  ["two ids where one is allowed", "logs", ["a", "b"], /logs takes the id of one job; found a, b/, ""],
  ["a misspelt option", "cancel", ["x", "--jsn"], /--jsn is not an option; did you mean --json\?/, ""],
  ["a state that is none", "jobs", ["--state", "done"], /--state is "done"; allowed are queued, processing, /, ""],
  ["a limit that is no number", "jobs", ["--limit", "many"], /--limit is "many"; a whole number of at least 1/, ""],
  ["a time that is none", "wait", ["x", "--timeout", "soon"], /--timeout is "soon"; a number of seconds/, ""],
  ["a place that is none", "logs", ["x", "--from", "-1"], /--from is "-1"; a whole number of at least 0/, ""],
  ["a key without its certificate", "status", ["x", "--tls-client-key", "none.pem"], /--tls-client-key: none\.pem/, ""],
  ["a server that is not there", "status", ["x", "--server", "127.0.0.1:1"], /cannot connect to 127\.0\.0\.1:1/, ""],
  ["an address that is none", "status", ["x", "--server", "somewhere"], /"somewhere"; HOST:PORT, http/, ""],
  ["a shell that is none", "completion", ["csh"], /takes one of bash, zsh, fish; found csh/, ""],
])("tells %s in one line", async (_, name, args, text, known) => {
  if (known === undefined) vi.stubEnv("SORTIE_SERVER", undefined);
  const run = await sortie(name, ...args);
  vi.stubEnv("SORTIE_SERVER", server.address);
  expect(run).toMatchObject({ code: 1, out: "", err: expect.stringMatching(text) });
  expect(run.err.trimEnd().split("\n")).toHaveLength(1);
});

it("every option is told in the help of its command", async () => {
  for (const { name, load } of COMMANDS) {
    const { options } = await load();
    const { out } = await sortie(name, "--help");
    // The parameters of a solver are told by a rule.
    const told = Object.keys(options).filter((option) => !Object.hasOwn(PARAMETER_OPTIONS, option));
    expect([name, told.filter((option) => !out.includes(`--${option}`))]).toEqual([name, []]);
    expect(out, name).toMatch(/^usage: sortie /);
  }
});

describe("on a server that is not Sortie", () => {
  const scripted = () =>
    scriptedServer({
      checkStatus: ({ jobId }) => ({
        jobStatus: jobId === "failed" ? JobStatus.FAILED : JobStatus.PROCESSING,
        message: jobId === "failed" ? "Job failed: out of memory" : "Solving",
      }),
      waitForCompletion: () => ({ jobStatus: JobStatus.FAILED, message: "Job failed: out of memory" }),
      async *streamLogs({ jobId }, { signal }) {
        yield { line: "one line", byteOffset: 9n };
        if (jobId === "running") await once(signal, "abort");
      },
      cancelJob: () => ({ status: ResponseStatus.SUCCESS, jobStatus: JobStatus.CANCELLED, message: "" }),
    });

  it("tells where a job stands, and how it failed", async () => {
    const { address } = await scripted();
    const at = ["--server", address];
    expect(await sortie("status", "running", ...at)).toEqual({
      code: 0,
      out: "running  processing\n  Solving\n",
      err: "",
    });
    expect(await sortie("wait", "failed", ...at)).toMatchObject({
      code: 4,
      out: expect.stringContaining("out of memory"),
    });
    expect(await sortie("result", "failed", ...at)).toMatchObject({
      code: 4,
      err: "sortie: job failed failed: out of memory\n",
    });
    expect(await sortie("cancel", "running", ...at)).toMatchObject({ code: 0 });
  });

  it("leaves a log that does not tell where it ends once nothing more comes", async () => {
    const { address } = await scripted();
    expect(await sortie("logs", "running", "--server", address)).toEqual({ code: 0, out: "one line\n", err: "" });
    expect(await sortie("logs", "ended", "-f", "--server", address)).toEqual({ code: 0, out: "one line\n", err: "" });
  });

  it("sends nothing that asks for a webhook, of which it knows nothing", async () => {
    const { address } = await scriptedServer({});
    const run = await sortie("submit", file("afiro"), "--webhook", "https://a.example", "--server", address);
    expect(run).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("--webhook: the server is not Sortie"),
    });
  });

  it("says that there is no list of jobs", async () => {
    const { address } = await scripted();
    expect(await sortie("jobs", "--server", address)).toMatchObject({
      code: 1,
      err: expect.stringContaining("is not Sortie and keeps no list of jobs"),
    });
  });
});

/** A way to a server that can be broken. */
async function breakableWay(to: string) {
  const [host = "", port = ""] = to.split(":");
  const sockets = new Set<Socket>();
  let connections = 0;
  const way = createServer((near) => {
    connections++;
    const far = connectTcp(Number(port), host);
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => into.destroy());
      from.on("close", () => into.destroy());
      from.pipe(into);
    }
  });
  way.listen(0, "127.0.0.1");
  await once(way, "listening");
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  onTestFinished(() => {
    breakAll();
    way.close();
  });
  const { port: own } = way.address() as { port: number };
  return {
    address: `127.0.0.1:${own}`,
    breakAll,
    get connections() {
      return connections;
    },
  };
}
