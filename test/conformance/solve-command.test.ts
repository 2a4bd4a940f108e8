// `sortie solve` prints the known objective of every instance of the test data.
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { spawnSortie } from "./embedded-server.ts";

interface Instance {
  readonly name: string;
  readonly file: string;
  readonly kind: "lp" | "mip" | "qp";
  readonly status: "optimal" | "infeasible" | "unbounded";
  readonly objective: number | null;
}

/** The proof takes many minutes; the best solution is there after a few seconds. */
const LIMITED = new Set(["mas76"]);
const LIMIT_SECONDS = 30;
const INSTANCE_MS = 600_000;
/** Largest relative distance from the known objective: what the listed digits, or a MIP's default gap, allow. */
const TOLERANCE = { lp: 1e-6, qp: 1e-5, mip: 1e-4 } as const;

const committed = fileURLToPath(new URL("../data/lp/", import.meta.url));
const external = process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));

const listed = (folder: string) =>
  (JSON.parse(readFileSync(`${folder}/index.json`, "utf8")) as { instances: Instance[] }).instances.map((instance) => ({
    ...instance,
    path: `${folder}/${instance.file}`,
  }));

const own = listed(committed);
const large = existsSync(`${external}/lp/index.json`) ? listed(`${external}/lp`) : [];
if (large.length === 0)
  console.log(`SORTIE_TEST_DATA leads to no data: only the ${own.length} of the project are solved`);
const instances = [...new Map([...own, ...large].map((instance) => [instance.name, instance])).values()];

type Document = Readonly<Record<string, unknown>>;

/** One run of the program for all these files. */
function solve(paths: readonly string[], more: readonly string[] = []) {
  const child = spawnSortie(["solve", "--json", "--local", ...more, ...paths]);
  const documents = new Map(paths.map((path) => [path, Promise.withResolvers<Document>()]));
  let err = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  if (!child.stdout) throw new Error("the program has no standard output");
  createInterface(child.stdout).on("line", (line) => {
    const document = JSON.parse(line) as Document;
    documents.get(String(document["file"]))?.resolve(document);
  });
  const ended = once(child, "close").then(([code]) => {
    for (const { promise, reject } of documents.values()) {
      promise.catch(() => undefined); // Its own test tells.
      reject(new Error(`the program ended with ${code}: ${err}`));
    }
    return code as number | null;
  });
  return { child, documents, ended };
}

describe("sortie solve prints the known objective of an instance", () => {
  let runs: ReturnType<typeof solve>[] = [];

  beforeAll(() => {
    const isLimited = ({ name }: Instance) => LIMITED.has(name);
    runs = [
      solve(instances.filter((instance) => !isLimited(instance)).map(({ path }) => path)),
      solve(
        instances.filter(isLimited).map(({ path }) => path),
        ["--time-limit", String(LIMIT_SECONDS)],
      ),
    ];
  });
  afterAll(async () => {
    // Ctrl-C, for those that have not ended.
    for (const { child } of runs) child.kill("SIGINT");
    await Promise.all(runs.map(({ ended }) => ended));
  });

  it.each(instances)(
    "$name: $status",
    async ({ name, path, kind, status, objective }) => {
      const document = await runs.find(({ documents }) => documents.has(path))?.documents.get(path)?.promise;
      expect(document).toMatchObject({ kind, exitCode: 0 });
      if (objective === null) {
        const words = status === "infeasible" ? ["infeasible", "primal-infeasible"] : ["unbounded", "dual-infeasible"];
        expect(words).toContain(document?.["status"]);
        return;
      }
      expect(document?.["status"]).toBe(LIMITED.has(name) ? "time-limit" : "optimal");
      const distance = Math.abs(Number(document?.["objective"]) - objective) / Math.max(1, Math.abs(objective));
      expect(distance).toBeLessThanOrEqual(TOLERANCE[kind]);
    },
    INSTANCE_MS,
  );

  it("and all is well", async () => {
    expect(await Promise.all(runs.map(({ ended }) => ended))).toEqual([0, 0]);
  });
});
