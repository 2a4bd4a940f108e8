// The bar of a transfer.
import { describe, expect, it } from "vitest";
import type { Live } from "./live.ts";
import { barText, openBar } from "./progress.ts";

function fakeLive(isTerminal = true): Live & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    isTerminal,
    width: 100,
    update: (text) => lines.push(text),
    print: () => undefined,
    clear: () => lines.push(""),
  };
}

describe("the text of a bar", () => {
  it("tells share, bytes, rate and time left", () => {
    expect(barText("uploading", { doneBytes: 5e6, totalBytes: 1e7 }, 2.5e6, 69)).toBe(
      "uploading [#####-----]  50 %  5.0 MB of 10.0 MB  2.5 MB/s  2 s left",
    );
  });

  it("leaves out the rate while it is unknown, and the bar where there is no room", () => {
    expect(barText("uploading", { doneBytes: 0, totalBytes: 100 }, undefined, 30)).toBe(
      "uploading    0 %  0 B of 100 B",
    );
  });

  it("never is longer than the line", () => {
    for (let width = 60; width < 200; width += 7) {
      const text = barText("downloading", { doneBytes: 123456, totalBytes: 9876543210 }, 12345.6, width);
      expect(text.length).toBeLessThanOrEqual(Math.max(width, 75));
    }
  });

  it("is full only at the end", () => {
    expect(barText("x", { doneBytes: 999, totalBytes: 1000 }, undefined, 80)).toMatch(/#-\] {2}99 %/);
    expect(barText("x", { doneBytes: 1000, totalBytes: 1000 }, undefined, 80)).toMatch(/##\] 100 %/);
    expect(barText("x", { doneBytes: 0, totalBytes: 0 }, undefined, 80)).toMatch(/100 %/);
  });
});

describe("a bar", () => {
  it("counts the rate from its first update, so that a resumed upload tells the truth", () => {
    const live = fakeLive();
    let at = 0;
    const bar = openBar(live, "uploading", () => at);
    bar.update({ doneBytes: 8_000_000, totalBytes: 10_000_000 });
    at = 1000;
    bar.update({ doneBytes: 9_000_000, totalBytes: 10_000_000 });
    expect(live.lines.at(-1)).toMatch(/1\.0 MB\/s {2}1 s left$/);
  });

  it("follows a rate that changes", () => {
    const live = fakeLive();
    let at = 0;
    const bar = openBar(live, "uploading", () => at);
    for (let second = 0; second <= 10; second++) {
      at = second * 1000;
      bar.update({ doneBytes: second < 5 ? 0 : (second - 4) * 1e6, totalBytes: 1e9 });
    }
    expect(live.lines.at(-1)).toMatch(/1\.0 MB\/s/);
  });

  it("draws seldom, but draws the end, and goes away", () => {
    const live = fakeLive();
    let at = 0;
    const bar = openBar(live, "uploading", () => at);
    for (let done = 1; done <= 100; done++) {
      at += 1;
      bar.update({ doneBytes: done, totalBytes: 100 });
    }
    expect(live.lines.length).toBeLessThan(5);
    expect(live.lines.at(-1)).toMatch(/100 %/);
    bar.done();
    expect(live.lines.at(-1)).toBe("");
  });

  it("shows nothing where there is no terminal", () => {
    const live = fakeLive(false);
    const bar = openBar(live, "uploading");
    bar.update({ doneBytes: 1, totalBytes: 2 });
    expect(live.lines).toEqual([]);
  });
});
