// Where jobs run, by table.
import { describe, expect, it } from "vitest";
import { DEFAULT_PLACEMENT, type JobNeeds, LOCAL_PLACEMENT, placeJob } from "./placement.ts";

const GIB = 1024 ** 3;
const smallLp: JobNeeds = { kind: "lp", memoryBytes: 0.2 * GIB, elements: 5_000, usesGpu: false };

describe("placement", () => {
  it.each([
    ["a small LP", {}, "inline", /done in place/],
    ["a small LP with a short limit", { timeLimitSeconds: 60 }, "inline", /done in place/],
    [
      "a small LP with a long limit",
      { timeLimitSeconds: 7200 },
      "cpu",
      /time limit is 7200 s, inline is at most 600 s/,
    ],
    ["a MIP without a limit", { kind: "mip" }, "cpu", /any time/],
    ["a small MIP with a short limit", { kind: "mip", timeLimitSeconds: 300 }, "inline", /done in place/],
    ["an LP of many entries", { elements: 200_000 }, "cpu", /200,000 elements, inline are at most 100,000/],
    ["a job that needs much memory", { memoryBytes: 5 * GIB }, "cpu", /5\.0 GiB of memory, inline are 3\.0/],
    ["a huge LP that no GPU can help", { elements: 9_000_000 }, "cpu", /9,000,000 elements/],
    ["a huge LP that a GPU can help", { elements: 9_000_000, usesGpu: true }, "gpu", /from 5,000,000 on/],
    ["a small one that a GPU could help", { usesGpu: true }, "inline", /done in place/],
    ["training", { kind: "train" }, "cpu", /training/],
  ] as const)("%s", (_, needs, placement, reason) => {
    const decision = placeJob({ ...smallLp, ...needs }, DEFAULT_PLACEMENT);
    expect(decision.placement).toBe(placement);
    expect(decision.reason).toMatch(reason);
  });

  it("moves a job to a container that outlived a function", () => {
    expect(placeJob(smallLp, DEFAULT_PLACEMENT, true)).toMatchObject({ placement: "cpu", memoryBytes: 2 * GIB });
  });

  it("gives a container the smallest size that holds the job", () => {
    const memory = (gib: number) =>
      placeJob({ ...smallLp, kind: "mip", memoryBytes: gib * GIB }, DEFAULT_PLACEMENT).memoryBytes;
    expect([1, 2, 2.1, 7, 29].map((gib) => memory(gib) / GIB)).toEqual([2, 2, 4, 8, 30]);
    expect(memory(500)).toBe(500 * GIB);
  });

  it("ends a worker some time after its job's own limit, and any worker after the longest time", () => {
    expect(placeJob({ ...smallLp, timeLimitSeconds: 60 }, DEFAULT_PLACEMENT).timeoutSeconds).toBe(180);
    expect(placeJob(smallLp, DEFAULT_PLACEMENT).timeoutSeconds).toBe(DEFAULT_PLACEMENT.longestSeconds);
  });

  it("runs everything in a worker process on one machine, with what it needs", () => {
    const decision = placeJob({ ...smallLp, elements: 9_000_000, usesGpu: true }, LOCAL_PLACEMENT);
    expect(decision).toMatchObject({ placement: "cpu", memoryBytes: smallLp.memoryBytes });
  });

  it("uses what there is where the best is missing", () => {
    const only = { ...DEFAULT_PLACEMENT, available: ["inline"] as const };
    expect(placeJob({ ...smallLp, kind: "mip" }, only)).toMatchObject({
      placement: "inline",
      reason: expect.stringMatching(/no other/),
    });
  });
});
