// Rules of splits: selectors, order, leakage, the hash of all samples.
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { applySplits, type Sample, type Selector, sampleId, universeHash } from "./splits.ts";

const sample = (source: string, index?: number, categoryIds: number[] = [], tags: string[] = []): Sample => {
  const place = { source, index, labelId: undefined };
  return { ...place, id: sampleId(place), stem: source.replace(/\..*/, ""), tags, categoryIds };
};
const samples = [
  sample("a.npy", 0, [1]),
  sample("a.npy", 1, [2]),
  sample("a.npy", 2, [1, 2], ["wet"]),
  sample("b.npy", undefined, [3]),
  sample("c.mat"),
];
const categories = new Map([
  ["stone", 1],
  ["clod", 2],
  ["leaf", 3],
]);
const train = (...selectors: Selector[]) =>
  applySplits({ train: selectors }, samples, categories).stages.train.map(({ id }) => id);

describe("a sample's id", () => {
  it.each([
    [undefined, undefined, "s"],
    [3, undefined, "s#3"],
    [3, 3, "s#3"],
    [3, 4, "s#3#4"],
    [undefined, 4, "s#4"],
  ])("of index %s and label %s", (index, labelId, id) => {
    expect(sampleId({ source: "s", index, labelId })).toBe(id);
  });
});

describe("a selector", () => {
  it.each<[Selector, string[]]>([
    [{ kind: "all" }, ["a.npy#0", "a.npy#1", "a.npy#2", "b.npy", "c.mat"]],
    [{ kind: "files", paths: ["c.mat", "b.npy"] }, ["b.npy", "c.mat"]],
    [{ kind: "file_indices", source: "a.npy", ids: ["1-2"] }, ["a.npy#1", "a.npy#2"]],
    [{ kind: "file_indices", source: "a.npy", ids: ["0-9999999999999:2"] }, ["a.npy#0", "a.npy#2"]],
    [{ kind: "dir_indices", ids: [4, "0-2:2"] }, ["c.mat", "a.npy#0", "a.npy#2"]],
    [{ kind: "stems", stems: ["c"] }, ["c.mat"]],
    [{ kind: "glob", pattern: "?.mat" }, ["c.mat"]],
    [{ kind: "glob", pattern: "b" }, ["b.npy"]],
    [{ kind: "tag", any_of: ["wet", "dry"] }, ["a.npy#2"]],
    [{ kind: "categories", any_of: ["clod"] }, ["a.npy#1", "a.npy#2"]],
    [
      {
        kind: "union",
        of: [
          { kind: "stems", stems: ["c"] },
          { kind: "stems", stems: ["b", "c"] },
        ],
      },
      ["c.mat", "b.npy"],
    ],
    [
      {
        kind: "intersect",
        of: [
          { kind: "categories", any_of: ["stone"] },
          { kind: "dir_indices", ids: [2, 3] },
        ],
      },
      ["a.npy#2"],
    ],
    [
      { kind: "except", of: [{ kind: "all" }, { kind: "stems", stems: ["a"] }, { kind: "stems", stems: ["c"] }] },
      ["b.npy"],
    ],
  ])("%j", (selector, expected) => {
    expect(train(selector)).toEqual(expected);
  });

  it("adds to those before it, without repetition", () => {
    expect(train({ kind: "dir_indices", ids: [3] }, { kind: "all" })).toEqual([
      "b.npy",
      "a.npy#0",
      "a.npy#1",
      "a.npy#2",
      "c.mat",
    ]);
  });

  it.each<[string, Selector, RegExp]>([
    ["matches nothing", { kind: "stems", stems: ["z"] }, /splits\.train\.0 \(stems\) matches none of the 5 samples/],
    ["is out of range", { kind: "dir_indices", ids: ["3-5"] }, /has position 5, and there are 5 samples/],
    ["has a negative id", { kind: "dir_indices", ids: [-1] }, /has id '-1'; allowed are integers from 0 on/],
    ["has a range that runs backwards", { kind: "dir_indices", ids: ["3-1"] }, /has id '3-1'/],
    [
      "names an unknown category",
      { kind: "categories", any_of: ["iron"] },
      /names category 'iron'; known are stone, clod, leaf/,
    ],
    ["has an unknown kind", { kind: "some" }, /kind 'some', which is unknown/],
  ])("that %s is refused", (_, selector, message) => {
    expect(() => train(selector)).toThrow(message);
  });

  it("may match nothing within another", () => {
    expect(
      train({
        kind: "union",
        of: [
          { kind: "stems", stems: ["z"] },
          { kind: "stems", stems: ["c"] },
        ],
      }),
    ).toEqual(["c.mat"]);
  });
});

describe("splits", () => {
  const overlapping = { train: [{ kind: "all" }], val: [{ kind: "stems", stems: ["c"] }] };

  it("85. that share samples are refused, reported or allowed", () => {
    expect(() => applySplits(overlapping, samples, categories)).toThrow("splits train and val share 1 samples: c.mat");
    expect(applySplits({ ...overlapping, leakage_check: "warn" }, samples, categories).warnings).toHaveLength(1);
    expect(applySplits({ ...overlapping, leakage_check: "off" }, samples, categories).warnings).toEqual([]);
  });

  it("predict with all samples unless told otherwise", () => {
    expect(applySplits({}, samples, categories).stages.predict).toEqual(samples);
    expect(
      applySplits({ predict: [{ kind: "stems", stems: ["c"] }] }, samples, categories).stages.predict,
    ).toHaveLength(1);
  });

  it("compare the hash of all samples only where positions are used", () => {
    const hash = createHash("sha256").update("a.npy#0\na.npy#1\na.npy#2\nb.npy\nc.mat\n").digest("hex");
    expect(universeHash(samples)).toBe(hash);
    const nested = [{ kind: "union", of: [{ kind: "dir_indices", ids: [0] }] }];
    expect(applySplits({ train: nested, universe_hash: hash }, samples, categories).stages.train).toHaveLength(1);
    expect(() => applySplits({ train: nested, universe_hash: "0" }, samples, categories)).toThrow(
      "the list of samples has changed",
    );
    expect(
      applySplits({ train: [{ kind: "all" }], universe_hash: "0" }, samples, categories).stages.train,
    ).toHaveLength(5);
  });
});
