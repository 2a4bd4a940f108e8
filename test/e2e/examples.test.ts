// The programs of examples/ as a reader runs them: each prints its known answer, on a server of its own and on a given one.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EmbeddedServer, openEmbedded } from "@sortie/server";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

const folder = fileURLToPath(new URL("../../examples/", import.meta.url));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program of the folder; its temporary files must be gone afterwards. */
async function run(file: string, server?: string): Promise<Run> {
  const temporary = mkdtempSync(join(tmpdir(), "sortie-examples-"));
  onTestFinished(() => rmSync(temporary, { recursive: true, force: true }));
  const { SORTIE_SERVER: _, ...env } = process.env;
  const child = spawn(
    process.execPath,
    ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning", join(folder, file)],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...env, TMPDIR: temporary, ...(server !== undefined && { SORTIE_SERVER: server }) },
    },
  );
  let out = "";
  let err = "";
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stderr.on("data", (text) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  expect(readdirSync(temporary)).toEqual([]);
  return { code, out, err };
}

/** What each program prints, among other things. The portfolios were computed with another solver (SciPy's SLSQP). */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  "transport.ts": [
    "optimal: freight costs 153.675 thousand dollars",
    "one case more for new-york: 225 dollars",
    "one case more for chicago: 153 dollars",
    "one case more for topeka: 126 dollars",
  ],
  "knapsack.ts": ["optimal: use 320, proven bound 320", "6 × chocolate", "1 × stove", "1 × gas"],
  "portfolio.ts": [
    "return 4 %, optimal: risk 4.56 %: bonds 70.0 %, shares 13.1 %, property 8.7 %, gold 8.1 %",
    "return 5 %, optimal: risk 7.02 %: bonds 43.5 %, shares 27.6 %, property 16.6 %, gold 12.3 %",
    "return 6 %, optimal: risk 10.03 %: bonds 17.1 %, shares 42.1 %, property 24.4 %, gold 16.5 %",
  ],
};
const programs = Object.keys(ANSWERS);

function expectAnswer(file: string, { code, out, err }: Run): void {
  expect(err).toBe("");
  for (const line of ANSWERS[file] as readonly string[]) expect(out).toContain(line);
  expect(code).toBe(0);
}

describe("the examples", () => {
  let server: EmbeddedServer;
  beforeAll(async () => {
    server = await openEmbedded();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("are all run here", () => {
    const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && file !== "client.ts");
    expect(files.toSorted()).toEqual(programs.toSorted());
  });

  it.each(programs)("%s solves on a server of its own", async (file) => {
    expectAnswer(file, await run(file));
  });

  it.each(programs)("%s solves on the server that SORTIE_SERVER names", async (file) => {
    expectAnswer(file, await run(file, server.address));
  });

  it("say which server cannot be reached", async () => {
    const address = await closedAddress();
    const { code, err } = await run("knapsack.ts", address);
    expect(err).toContain(`cannot connect to ${address}`);
    expect(code).toBe(1);
  });
});

/** Where nobody listens. */
async function closedAddress(): Promise<string> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as { port: number };
  await new Promise((resolve) => listener.close(resolve));
  return `127.0.0.1:${port}`;
}
