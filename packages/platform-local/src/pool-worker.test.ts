// Rules of the flags that worker processes inherit, and of sizes in words.
import { describe, expect, it } from "vitest";
import { defaultMemoryBudget, sizeInWords } from "./memory-budget.ts";
import { inheritedExecArgv } from "./pool-worker.ts";

describe("inheritedExecArgv", () => {
  it("passes import conditions and quiet warnings on, and nothing else", () => {
    expect(
      inheritedExecArgv([
        "--conditions=sortie-source",
        "-C",
        "other",
        "--inspect=9229",
        "--disable-warning=ExperimentalWarning",
        "--no-warnings",
        "--test",
      ]),
    ).toEqual([
      "--conditions=sortie-source",
      "--conditions=other",
      "--disable-warning=ExperimentalWarning",
      "--no-warnings",
    ]);
  });
});

describe("memory", () => {
  it.each([
    [0, "0 bytes"],
    [1023, "1023 bytes"],
    [1536, "1.5 KiB"],
    [12 * 2 ** 20, "12 MiB"],
    [3.25 * 2 ** 30, "3.3 GiB"],
    [5000 * 2 ** 40, "5000 TiB"],
  ])("%d bytes are %s in words", (bytes, words) => {
    expect(sizeInWords(bytes)).toBe(words);
  });

  it("the default budget leaves some of the machine to others", () => {
    expect(defaultMemoryBudget()).toBeGreaterThan(0);
    expect(defaultMemoryBudget()).toBeLessThanOrEqual(0.8 * Number.MAX_SAFE_INTEGER);
  });
});
