// Every instance of the test data reaches its known outcome through the server, once.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseMps } from "@sortie/solve";
import { MIPTerminationStatus, PDLPTerminationStatus } from "@sortie/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedServer } from "./embedded-server.ts";
import { openSession, type Server } from "./harness.ts";
import { modelOf } from "./models.ts";
import type { Session, Solution } from "./session.ts";

interface Instance {
  readonly name: string;
  readonly file: string;
  readonly kind: "lp" | "mip" | "qp";
  readonly cols: number;
  readonly status: "optimal" | "infeasible" | "unbounded";
  readonly objective: number | null;
}

/** Takes minutes; it serves for limits and cancels. */
const TOO_LONG = new Set(["mas76"]);
/** How many instances the large set has. */
const LARGE_SET = 31;
const CHUNK_BYTES = 1024 * 1024;
const INSTANCE_MS = 400_000;

const committed = fileURLToPath(new URL("../data/lp/", import.meta.url));
const external = process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));

const listed = (folder: string) =>
  (JSON.parse(readFileSync(`${folder}/index.json`, "utf8")) as { instances: Instance[] }).instances
    .filter((instance) => !TOO_LONG.has(instance.name))
    .map((instance) => ({ ...instance, path: `${folder}/${instance.file}` }));

const own = listed(committed);
const large = existsSync(`${external}/lp/index.json`) ? listed(`${external}/lp`) : undefined;
if (large === undefined) {
  const missing = LARGE_SET - TOO_LONG.size - own.length;
  console.log(
    `SORTIE_TEST_DATA leads to no data: ${missing} instances were not solved, only the ${own.length} of the project`,
  );
}
const instances = [...new Map([...own, ...(large ?? [])].map((instance) => [instance.name, instance])).values()];

const STATUS = {
  lp: {
    optimal: PDLPTerminationStatus.PDLP_OPTIMAL,
    infeasible: PDLPTerminationStatus.PDLP_PRIMAL_INFEASIBLE,
    unbounded: PDLPTerminationStatus.PDLP_DUAL_INFEASIBLE,
  },
  mip: {
    optimal: MIPTerminationStatus.MIP_OPTIMAL,
    infeasible: MIPTerminationStatus.MIP_INFEASIBLE,
    unbounded: MIPTerminationStatus.MIP_UNBOUNDED,
  },
} as const;

/** Largest relative distance from the known objective: what the listed digits, or a MIP's default gap, allow. */
const TOLERANCE = { lp: 1e-6, qp: 1e-5, mip: 1e-4 } as const;

describe("an instance of the test data reaches its known outcome", () => {
  let server: Server;
  let session: Session;
  const solutions = new Map<string, Promise<Solution>>();

  beforeAll(async () => {
    server = await new EmbeddedServer(["--workers", "2"]).start();
    session = openSession(server, { name: "gRPC", protocol: "grpc" }, {});
    // All are on their way at once, so that both workers are busy to the end.
    for (const { name, path } of instances) {
      const jobId = await session.upload(modelOf(parseMps(readFileSync(path))), CHUNK_BYTES);
      const solution = session.completed(jobId).then((id) => session.download(id, CHUNK_BYTES / 8));
      solution.catch(() => undefined); // Its own test tells.
      solutions.set(name, solution);
    }
  });
  afterAll(async () => {
    await session?.close();
    await server?.dispose();
  });

  it.each(instances)(
    "$name: $status",
    async ({ name, kind, status, objective, cols }) => {
      const solution = await solutions.get(name)!;
      expect(solution.kind).toBe(kind === "mip" ? "mip" : "lp");
      expect(solution.status).toBe(STATUS[solution.kind][status]);
      if (objective === null) return;
      expect(solution.values).toHaveLength(cols);
      const distance = Math.abs(solution.objective - objective) / Math.max(1, Math.abs(objective));
      expect(distance).toBeLessThanOrEqual(TOLERANCE[kind]);
    },
    INSTANCE_MS,
  );
});
