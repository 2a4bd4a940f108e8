// Runs real jobs in the root file system of the worker's image, as the Dockerfile says to start it, and checks what comes of
// them. Called by scripts/check-container.sh, as root, in a network namespace that has nothing but loopback.
//
// Usage: check.ts ROOT
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import * as dynamodb from "@aws-sdk/client-dynamodb";
import * as s3 from "@aws-sdk/client-s3";
import { createRouterTransport } from "@connectrpc/connect";
import { SortieClient } from "@sortie/client";
import { type Context, getJob } from "@sortie/core";
import * as aws from "@sortie/platform-aws";
import { createRoutes } from "@sortie/rpc";
import { loadModel, problemMessage } from "../../packages/cli/src/model-file.ts";
import { startDynamo } from "../aws/emulators.ts";
import { startS3 } from "../aws/s3-emulator.ts";
import { hardMip } from "../faults/problems.ts";

const root = process.argv[2] ?? "";
const repository = fileURLToPath(new URL("../..", import.meta.url));
const caller = { tenant: "check" };

/** What the last stage of the Dockerfile says about the program's start. */
function readDockerfile() {
  const file = readFileSync(join(repository, "Dockerfile"), "utf8").replace(/\\\n\s*/g, " ");
  const stage = file.slice(file.lastIndexOf("\nFROM "));
  const value = (word: string): string => new RegExp(`^${word} (.*)$`, "m").exec(stage)?.[1] ?? "";
  const environment = value("ENV")
    .split(/\s+/)
    .map((pair) => pair.split("=") as [string, string]);
  return {
    user: value("USER"),
    folder: value("WORKDIR"),
    stopSignal: value("STOPSIGNAL") as NodeJS.Signals,
    entrypoint: JSON.parse(value("ENTRYPOINT")) as string[],
    environment: Object.fromEntries(environment),
  };
}
const image = readDockerfile();

/** A command in the image, as its user, with process ids of its own: the command is process 1, as in a container. */
function start(command: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  const inside = ["chroot", `--userspec=${image.user}`, root, "/usr/bin/env", "-C", image.folder, ...command];
  const args = ["--pid", "--fork", "--kill-child", `--mount-proc=${join(root, "proc")}`, ...inside];
  const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ...image.environment };
  return spawn("unshare", args, { env: { ...env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
}

interface Container {
  readonly batchId: string;
  readonly end: Promise<{ readonly code: number | null; readonly log: readonly { msg: string; jobId?: string }[] }>;
  /** Sends the image's stop signal to process 1. */
  stop(): void;
}

/** Longer than any container here should live. */
const LIFE_MS = 90_000;
const running = new Set<ChildProcess>();
let containers = 0;

function startContainer(
  environment: Readonly<Record<string, string>>,
  jobId: string,
  lingerSeconds: number,
): Container {
  containers += 1;
  const batchId = `00000000-0000-4000-8000-${String(containers).padStart(12, "0")}`;
  const child = start(image.entrypoint, {
    ...environment,
    SORTIE_JOB_ID: jobId,
    SORTIE_ATTEMPT: "1",
    SORTIE_PLACEMENT: "cpu",
    SORTIE_LINGER_SECONDS: String(lingerSeconds),
    AWS_BATCH_JOB_ID: batchId,
  });
  running.add(child);
  const errors = text(child.stderr!);
  const tooLong = setTimeout(() => child.kill("SIGKILL"), LIFE_MS);
  // The code is null if it had to be killed.
  const end = once(child, "exit").then(async ([code]) => {
    running.delete(child);
    clearTimeout(tooLong);
    const lines = (await errors).split("\n").filter((line) => line !== "");
    return { code, log: lines.map((line) => JSON.parse(line)) };
  });
  return {
    batchId,
    end,
    stop() {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
      process.kill(Number(children), image.stopSignal);
    },
  };
}

async function until<T>(what: string, fact: () => Promise<T | undefined | false>): Promise<T> {
  const giveUpAt = performance.now() + 60_000;
  for (;;) {
    const found = await fact();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAt) throw new Error(`waited for a minute in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Table and bucket on emulators, and the service's calls on them without a host between. */
async function openService(folder: string, closing: AsyncDisposableStack) {
  const tables = await startDynamo();
  closing.defer(() => tables.close());
  const objects = await startS3(folder);
  closing.defer(() => objects.close());
  const environment = {
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "S3RVER",
    AWS_SECRET_ACCESS_KEY: "S3RVER",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_ENDPOINT_URL_DYNAMODB: tables.endpoint,
    AWS_ENDPOINT_URL_S3: objects.endpoint,
    SORTIE_TABLE: "sortie",
    SORTIE_BUCKET: "sortie",
    SORTIE_CPU_QUEUE: "cpu",
    SORTIE_CPU_DEFINITION: "worker",
  };
  Object.assign(process.env, environment);
  const database = new dynamodb.DynamoDBClient({});
  await database.send(new dynamodb.CreateTableCommand(aws.tableDefinition("sortie")));
  await dynamodb.waitUntilTableExists({ client: database, maxWaitTime: 60, minDelay: 0.05 }, { TableName: "sortie" });
  database.destroy();
  const store = new s3.S3Client({ forcePathStyle: true });
  await store.send(new s3.CreateBucketCommand({ Bucket: "sortie" }));
  store.destroy();

  const platform = closing.use(
    aws.openAwsFront(aws.readAwsSettings(process.env), {
      onFault: (what, error) => process.stderr.write(`${what}: ${error}\n`),
    }),
  );
  const routes = createRoutes(platform, { maxMessageBytes: 4 * 2 ** 20, callerOf: () => caller });
  const client = closing.use(new SortieClient(createRouterTransport(routes.binary)));
  await client.connect();
  return { environment, platform: platform as Context, client };
}

async function submitFile(client: SortieClient, name: string): Promise<string> {
  const file = join(repository, "test/data/lp", `${name}.mps.gz`);
  const { problem, isMip } = await loadModel(file, new AbortController().signal);
  return client.submit(problemMessage(problem, isMip ? "mip" : "lp", {}));
}

function isNear(found: number, name: string): void {
  const { instances } = JSON.parse(readFileSync(join(repository, "test/data/lp/index.json"), "utf8"));
  const { objective } = instances.find((each: { name: string }) => each.name === name);
  const wrong = `${name}: the objective is ${found}, known is ${objective}`;
  assert.ok(Math.abs(found - objective) <= 1e-6 * Math.abs(objective), wrong);
}

type Service = Awaited<ReturnType<typeof openService>>;

const CHECKS: Readonly<Record<string, (service: Service) => Promise<void>>> = {
  async "the image has Node 24 and the native libraries, a user without rights, and no network"() {
    assert.deepEqual(Object.keys(networkInterfaces()), ["lo"]);
    const program = `
      const { writeFileSync } = require("node:fs");
      const refused = (path) => { try { writeFileSync(path, ""); return "written"; } catch (error) { return error.code; } };
      console.log(JSON.stringify({ pid: process.pid, node: process.version, uid: process.getuid(), gid: process.getgid(),
        root: refused("/x"), own: refused("/opt/sortie/x") }));`;
    const found = JSON.parse(await text(start(["/usr/local/bin/node", "-e", program], {}).stdout!));
    assert.match(found.node, /^v24\./);
    assert.ok(found.uid !== 0 && found.gid !== 0, `the user is ${found.uid}:${found.gid}`);
    assert.equal(found.pid, 1);
    for (const answer of [found.root, found.own]) assert.match(answer, /^(EROFS|EACCES)$/);
    const libraries = await text(start(["/sbin/ldconfig", "-p"], {}).stdout!);
    for (const library of ["libhighs.so", "libvulkan.so.1"]) {
      assert.ok(libraries.includes(library), `${library} is not installed`);
    }
  },

  async "an LP is solved, and a MIP that waits is taken while the worker lingers"({ client, environment, platform }) {
    const [lp, mip] = [await submitFile(client, "afiro"), await submitFile(client, "p0201")];
    const container = startContainer(environment, lp, 1);
    const { code, log } = await container.end;
    assert.equal(code, 0, JSON.stringify(log));
    assert.deepEqual(
      log.filter(({ msg }) => msg === "job claimed").map(({ jobId }) => jobId),
      [lp, mip],
    );
    const [first, second] = [await client.result(lp), await client.result(mip)];
    isNear(first.kind === "lp" ? first.scalars.primalObjective : Number.NaN, "afiro");
    isNear(second.kind === "mip" ? second.scalars.mipObjective : Number.NaN, "p0201");
    for (const id of [lp, mip]) {
      const job = await getJob(platform, caller, id);
      assert.ok(job?.state === "completed" && job.worker === undefined && job.attempt === 1);
    }
  },

  async "a task whose job is gone ends at once"({ client, environment }) {
    const id = await submitFile(client, "afiro");
    await client.cancel(id);
    for (const jobId of [id, "11111111-1111-4111-8111-111111111111"]) {
      // It would linger for an hour.
      const { code, log } = await startContainer(environment, jobId, 3600).end;
      assert.equal(code, 0, JSON.stringify(log));
      assert.ok(!log.some(({ msg }) => msg === "job claimed"));
    }
  },

  async "the stop signal gives the job back in the middle of a solve"({ client, environment, platform }) {
    const id = await client.submit(hardMip());
    const container = startContainer(environment, id, 3600);
    const worker = aws.batchWorkerName(container.batchId);
    await until("the job runs and has found something", async () => {
      const job = await getJob(platform, caller, id);
      return job?.state === "processing" && job.worker === worker && job.incumbentCount > 0;
    });
    container.stop();
    const { code, log } = await container.end;
    assert.equal(code, 0, JSON.stringify(log));
    const job = await getJob(platform, caller, id);
    assert.ok(job?.state === "queued" && job.worker === undefined && job.losses.length === 0, JSON.stringify(job));
    await client.cancel(id);
  },

  async "a job that is cancelled while it runs stays cancelled, and the stop signal ends a worker that lingers"(
    service,
  ) {
    const { client, environment, platform } = service;
    const id = await client.submit(hardMip());
    const container = startContainer(environment, id, 3600);
    await until("the job runs", async () => (await getJob(platform, caller, id))?.state === "processing");
    await client.cancel(id);
    await until("the worker lets go", async () => (await getJob(platform, caller, id))?.worker === undefined);
    container.stop();
    const { code, log } = await container.end;
    assert.equal(code, 0, JSON.stringify(log));
    assert.equal((await getJob(platform, caller, id))?.state, "cancelled");
  },

  async "an environment that describes no worker is refused with all that is missing"({ environment }) {
    const { AWS_ENDPOINT_URL_S3: _, SORTIE_TABLE: __, ...rest } = environment;
    const { code, log } = await startContainer({ ...rest, SORTIE_BUCKET: "" }, "a", 1).end;
    assert.equal(code, 78, JSON.stringify(log));
    for (const name of ["SORTIE_TABLE", "SORTIE_BUCKET"]) assert.ok(JSON.stringify(log).includes(name));
  },
};

const folder = mkdtempSync(join(tmpdir(), "sortie-container-"));
const closing = new AsyncDisposableStack();
closing.defer(() => rmSync(folder, { recursive: true, force: true }));
// A run that is cut off leaves no container behind.
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

assert.equal(spawnSync("unshare", ["--version"]).status, 0, "unshare (util-linux) is needed");
const service = await openService(folder, closing);
let failed = 0;
for (const [rule, check] of Object.entries(CHECKS)) {
  const started = performance.now();
  try {
    await check(service);
    process.stdout.write(`ok: ${rule} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`);
  } catch (error) {
    failed += 1;
    process.stdout.write(`FAILED: ${rule}\n${error instanceof Error ? error.stack : error}\n`);
  }
}
await closing.disposeAsync();
process.exit(failed === 0 ? 0 : 1);
