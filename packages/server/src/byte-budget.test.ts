// The byte budget: fair, exact, and never stuck.
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ByteBudget } from "./byte-budget.ts";

const LONG = 3_600_000;
const never = new AbortController().signal;

describe("a byte budget", () => {
  it("is used up and given back", async () => {
    const budget = new ByteBudget(100, LONG);
    const first = await budget.reserve(60, never);
    const second = await budget.reserve(40, never);
    expect(budget.usedBytes).toBe(100);
    first();
    first(); // Harmless.
    expect(budget.usedBytes).toBe(40);
    second();
    expect(budget.usedBytes).toBe(0);
  });

  it("serves those who wait in the order they came, small ones too", async () => {
    const budget = new ByteBudget(100, LONG);
    const order: string[] = [];
    const holder = await budget.reserve(80, never);
    const noted = async (name: string, bytes: number) => {
      const release = await budget.reserve(bytes, never);
      order.push(name);
      return release;
    };
    const big = noted("big", 90);
    const small = noted("small", 10);
    expect(budget.usedBytes).toBe(80);
    holder();
    const [releaseBig, releaseSmall] = await Promise.all([big, small]);
    expect(order).toEqual(["big", "small"]);
    expect(budget.usedBytes).toBe(100);
    releaseBig();
    releaseSmall();
    expect(budget.usedBytes).toBe(0);
  });

  it("refuses who has waited too long, naming the numbers and the chunk path", async () => {
    const budget = new ByteBudget(100, 5);
    const holder = await budget.reserve(80, never);
    await expect(budget.reserve(30, never)).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      rawMessage: expect.stringMatching(/holds 80 of 100 bytes .* no room for 30 more; .*StartChunkedUpload/),
    });
    holder();
    (await budget.reserve(100, never))();
    expect(budget.usedBytes).toBe(0);
  });

  it("forgets a waiter that leaves and lets those behind it pass", async () => {
    const budget = new ByteBudget(100, LONG);
    const holder = await budget.reserve(80, never);
    const leaving = new AbortController();
    const big = budget.reserve(90, leaving.signal);
    const small = budget.reserve(20, never);
    leaving.abort(new Error("client left"));
    await expect(big).rejects.toThrow("client left");
    (await small)();
    holder();
    expect(budget.usedBytes).toBe(0);
    await expect(budget.reserve(1, leaving.signal)).rejects.toThrow("client left");
  });
});
