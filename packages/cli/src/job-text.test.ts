// What is told of a job, to people and to scripts.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobKind, JobSchema, JobState, Placement } from "@sortie/wire";
import { expect, it } from "vitest";
import { ageText, jobJson, jobLines, sizeText } from "./job-text.ts";
import { jsonDocument, jsonLine } from "./json.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const ago = (seconds: number) => timestampFromMs(NOW - 1000 * seconds);

const MIP = { id: "a", kind: JobKind.MIP, rows: 98n, columns: 141n, nonzeros: 282n, createdAt: ago(90) };
const job = (fields: MessageInitShape<typeof JobSchema>) => create(JobSchema, fields);

it("tells why a queued job has not started", () => {
  const queued = { ...MIP, state: JobState.QUEUED, queuePosition: 2 };
  expect(jobLines(job({ ...queued, waitingReason: "2 jobs are before this one" }), NOW)).toEqual([
    "MIP, 98 rows, 141 columns, 282 nonzeros",
    "submitted 1 min 30 s ago",
    "waiting: 2 jobs are before this one",
  ]);
  expect(jobLines(job(queued), NOW)).toContain("waiting: 2 jobs before it");
});

it("tells what a running job has found, and which attempt it is", () => {
  const running = job({
    ...MIP,
    state: JobState.PROCESSING,
    startedAt: ago(30),
    attempt: 2,
    maxAttempts: 3,
    failure: "the worker was lost",
    objective: 568.1007,
    bound: 560,
    gap: 0.0143,
    nodes: 12n,
    incumbentCount: 4n,
  });
  expect(jobLines(running, NOW).slice(1)).toEqual([
    "submitted 1 min 30 s ago, started 30 s ago, attempt 2 of 3",
    "objective 568.1007  bound 560  gap 1.43 %  nodes 12  incumbents 4",
    "last attempt: the worker was lost",
  ]);
});

it("tells how a job ended, where its time went and what did nothing", () => {
  const failed = job({
    id: "a",
    kind: JobKind.TRAIN,
    state: JobState.FAILED,
    createdAt: ago(7200),
    startedAt: ago(60),
    finishedAt: ago(10),
    attempt: 1,
    failure: "out of memory",
    timings: { queue: 7140, solve: 50 },
    settingsWithoutEffect: ["num_gpus"],
    webhookNote: "no answer",
  });
  expect(jobLines(failed, NOW)).toEqual([
    "train",
    "submitted 2 h 0 min ago, started 1 min 0 s ago, ended 10 s ago",
    "queue 7140.0 s  solve 50.0 s",
    "failure: out of memory",
    "without effect here: num_gpus",
    "webhook: no answer",
  ]);
  expect(sizeText(failed)).toBe("-");
});

it("gives scripts every detail that is known, under names that stay", () => {
  const given = job({
    ...MIP,
    state: JobState.COMPLETED,
    tenant: "local",
    placement: Placement.CPU,
    attempt: 1,
    maxAttempts: 3,
    objective: 568.1007,
    bound: Number.NEGATIVE_INFINITY,
    resultSizeBytes: 1128n,
    timings: { solve: 0.1 },
  });
  expect(JSON.parse(jsonLine(jobJson(given)))).toEqual({
    id: "a",
    kind: "mip",
    state: "completed",
    tenant: "local",
    createdAt: "2026-01-02T03:02:35.000Z",
    attempt: 1,
    maxAttempts: 3,
    placement: "cpu",
    objective: 568.1007,
    bound: null,
    rows: 98,
    columns: 141,
    nonzeros: 282,
    resultSizeBytes: 1128,
    incumbentCount: 0,
    logBytes: 0,
    timings: { solveSeconds: 0.1 },
    settingsWithoutEffect: [],
  });
});

it("says unknown of a state that this program does not know", () => {
  expect(jobJson(job({ id: "a", state: 99 as JobState }))).toMatchObject({ state: "unknown", kind: "unknown" });
});

it("does not count back where the clocks differ", () => {
  expect([ageText(ago(-5), NOW), ageText(undefined, NOW)]).toEqual(["0 s", "-"]);
});

it("writes arrays of numbers, and null for what is no number", () => {
  expect(jsonLine({ values: Float64Array.of(1, Number.NaN, -0.5), count: 3n })).toBe(
    '{"values":[1,null,-0.5],"count":3}\n',
  );
  expect(jsonDocument({ a: 1 })).toBe('{\n  "a": 1\n}\n');
});
