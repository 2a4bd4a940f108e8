// Moments computed on threads are those computed here.
import { describe, expect, it } from "vitest";
import { Engine } from "../runtime/engine.ts";
import { numbers } from "../testing/pipelines.ts";
import { Moments } from "./statistics.ts";

describe("moments of many rows", () => {
  it("are the same from several threads as from none", async () => {
    await using engine = new Engine({ threads: 2 });
    const width = 40;
    const random = numbers(3);
    const rows = Float32Array.from({ length: width * 120_000 }, () => 1000 + random());
    const [here, there] = [new Moments(width, true), new Moments(width, true)];
    for (const part of [rows.subarray(0, 400), rows.subarray(400)]) {
      here.update(part);
      await there.absorb(part, engine);
    }
    expect(there.count).toBe(here.count);
    for (let i = 0; i < width; i++) expect(there.mean[i]).toBeCloseTo(here.mean[i] as number, 9);
    for (let i = 0; i < width * width; i++) {
      expect(Math.abs((there.second[i] as number) - (here.second[i] as number))).toBeLessThan(1e-6);
    }
  });
});
