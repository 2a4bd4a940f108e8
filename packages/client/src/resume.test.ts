// Rules of what is left to send, and of how it is cut.
import { create } from "@bufbuild/protobuf";
import { GetUploadStateResponseSchema, UploadState } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import type { OutgoingArray } from "./message.ts";
import { bytesOf, chunksOf, everything, leftToSend, ResumeError } from "./resume.ts";

const arrayOf = (fieldId: number, name: string, elements: number, elementBytes: number): OutgoingArray => ({
  fieldId,
  name,
  elementBytes,
  bytes: new Uint8Array(elements * elementBytes),
});
const values = arrayOf(2, "A_values", 10, 8);
const offsets = arrayOf(4, "A_offsets", 3, 4);

const stateWith = (fieldId: number, name: string, elements: number, ...received: [number, number][]) =>
  create(GetUploadStateResponseSchema, {
    state: UploadState.OPEN,
    arrays: [
      {
        fieldId,
        name,
        elements: BigInt(elements),
        received: received.map(([at, count]) => ({ elementOffset: BigInt(at), elements: BigInt(count) })),
      },
    ],
  });

describe("what is left of an upload", () => {
  it("is everything the server has not received, other arrays in full", () => {
    const left = leftToSend("u", stateWith(2, "A_values", 10, [2, 3], [7, 1]), [values, offsets]);
    expect(left).toEqual({
      missing: [
        { array: values, from: 0, to: 2 },
        { array: values, from: 5, to: 7 },
        { array: values, from: 8, to: 10 },
        { array: offsets, from: 0, to: 3 },
      ],
    });
    expect("missing" in left && bytesOf(left.missing)).toBe(6 * 8 + 3 * 4);
  });

  it("is nothing once all has arrived, and a job once that was submitted", () => {
    expect(leftToSend("u", stateWith(4, "A_offsets", 3, [0, 3]), [offsets])).toEqual({ missing: [] });
    const submitted = create(GetUploadStateResponseSchema, { state: UploadState.SUBMITTED, jobId: "j" });
    expect(leftToSend("u", submitted, [offsets])).toEqual({ jobId: "j" });
  });

  it("cannot be told for another problem: the array is named", () => {
    const longer = stateWith(2, "A_values", 11, [0, 11]);
    expect(() => leftToSend("u-1", longer, [values])).toThrow(ResumeError);
    expect(() => leftToSend("u-1", longer, [values])).toThrow(
      "upload u-1 is of another problem: its array A_values has 11 elements, this problem's has 10",
    );
    expect(() => leftToSend("u", stateWith(15, "Q_values", 2), [values])).toThrow("Q_values has 2 elements");
  });
});

describe("chunks", () => {
  const places = (chunks: Iterable<{ elementOffset: number; data: Uint8Array }>) =>
    [...chunks].map(({ elementOffset, data }) => [elementOffset, data.byteLength]);

  it("have whole elements, at most the chunk's bytes, and one element at least", () => {
    expect(places(chunksOf(everything([values]), 31))).toEqual([
      [0, 24],
      [3, 24],
      [6, 24],
      [9, 8],
    ]);
    expect(places(chunksOf(everything([offsets]), 1))).toEqual([
      [0, 4],
      [1, 4],
      [2, 4],
    ]);
  });

  it("are cut where they were cut at first, wherever a stretch begins", () => {
    const stretch = { array: values, from: 2, to: 8 };
    expect(places(chunksOf([stretch], 24))).toEqual([
      [2, 8],
      [3, 24],
      [6, 16],
    ]);
  });
});
