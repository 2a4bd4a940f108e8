// Nothing is left out in silence: every scenario that is the client's has a test here, or says why it has none.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { SCENARIOS as SERVER_SCENARIOS } from "../conformance/scenarios.ts";
import { SCENARIOS } from "./scenarios.ts";

const folder = new URL(".", import.meta.url);
const files = globSync("*.test.ts", { cwd: fileURLToPath(folder) });
const declared = files.flatMap((file) => {
  const text = readFileSync(new URL(file, folder), "utf8");
  return [...text.matchAll(/\bscenario\(\s*"([A-Z]\d+)"/g)].map((match) => match[1]!);
});

describe("the list of the client's scenarios", () => {
  it("has every number that the server's list leaves to the client", () => {
    const left = [...SERVER_SCENARIOS.values()].filter(({ notApplicable }) => notApplicable?.startsWith("client side"));
    expect(left.length).toBeGreaterThan(40);
    expect(left.map(({ number }) => number).filter((number) => !SCENARIOS.has(number))).toEqual([]);
  });

  it("has a test for each scenario that applies, and no other", () => {
    const applicable = [...SCENARIOS.values()].filter(({ notApplicable }) => notApplicable === undefined);
    expect([...new Set(declared)].sort()).toEqual(applicable.map(({ number }) => number).sort());
  });
});
