// Rules held by the weights files that ship with the example pipelines.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readerOf } from "../formats/array.ts";
import { bytesSource, openFileSource } from "../formats/source.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";

const root = process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const there = existsSync(`${root}/weights/channel_selector.pt`);
if (!there) console.log("SORTIE_TEST_DATA leads to no data: 3 cases on shipped weights are not run");

const shipped = async (name: string) => {
  await using source = await openFileSource(`${root}/weights/${name}`, name);
  return await readCheckpoint(source);
};

describe.runIf(there)("the shipped weights", () => {
  it("53. of the channel selector hold its eight tensors", async () => {
    const { stateDict } = await shipped("channel_selector.pt");
    const shapes = [...stateDict!].map(([node, state]) => [node, [...state].map(([key, { shape }]) => [key, shape])]);
    expect(Object.fromEntries(shapes)).toEqual({
      LentilsAnomalyDataNode: [],
      MinMaxNormalizer: [
        ["running_min", []],
        ["running_max", []],
      ],
      SoftChannelSelector: [["channel_logits", [61]]],
      RXGlobal: [
        ["mu", [61]],
        ["cov", [61, 61]],
        ["cov_inv", [61, 61]],
      ],
      ScoreToLogit: [
        ["scale", []],
        ["bias", []],
      ],
      bce: [],
      entropy: [],
      diversity: [],
      BinaryDecider: [],
      metrics_anomaly: [],
      TensorBoardMonitorNode: [],
      mask: [],
      rgb: [],
    });
    const first = (node: string, key: string) => readerOf(stateDict!.get(node)!.get(key)!)(0);
    expect(first("MinMaxNormalizer", "running_min")).toBe(0);
    expect(first("MinMaxNormalizer", "running_max")).toBe(16226);
    expect(first("ScoreToLogit", "scale")).toBeCloseTo(0.98993802, 7);
    expect(first("ScoreToLogit", "bias")).toBeCloseTo(23.90617752, 5);
    expect(first("SoftChannelSelector", "channel_logits")).toBeCloseTo(-8.35969067, 6);
  });

  it("79. of the channel selector are bit-equal after writing and reading again", async () => {
    const { stateDict } = await shipped("channel_selector.pt");
    const back = await readCheckpoint(bytesSource("again", writeCheckpoint({ stateDict, metadata: {} })));
    expect(back.stateDict).toEqual(stateDict);
  });

  it("49. in the flat layout have no state_dict and load nothing", async () => {
    expect(await shipped("gradient_based.pt")).toEqual({ stateDict: undefined, metadata: {} });
  });
});
