// Rules of a problem on its way in.
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { MessageBuilder } from "./builder.ts";
import { UnsupportedGenerationError, WireFormatError } from "./errors.ts";
import {
  ArrayFieldId,
  decodeStartChunkedUploadRequest,
  decodeSubmitJobRequest,
  encodeSettings,
  encodeSubmitJobRequest,
  StartChunkedUploadRequestSchema,
  SubmitJobRequestSchema,
} from "./index.ts";
import { hex } from "./testing/golden.ts";

/** A SubmitJobRequest around an encoded OptimizationProblem. */
function submit(problem: MessageBuilder, arm: 1 | 2 = 1): Uint8Array {
  return new MessageBuilder().message(arm, new MessageBuilder().message(2, problem)).finish();
}

describe("decoding a submission", () => {
  it("gives every array under its chunk number", () => {
    const request = create(SubmitJobRequestSchema, {
      jobData: {
        case: "lpRequest",
        value: {
          problem: {
            problemName: "p",
            objectiveName: "cost",
            objectiveOffset: 3,
            variableNames: ["x", "ü"],
            rowNames: ["r"],
            AValues: [1],
            AIndices: [2],
            AOffsets: [3],
            c: [4],
            b: [5],
            variableLowerBounds: [6],
            variableUpperBounds: [Number.POSITIVE_INFINITY],
            constraintLowerBounds: [8],
            constraintUpperBounds: [9],
            rowTypes: hex("4c"),
            variableTypes: [2],
            initialPrimalSolution: [10],
            initialDualSolution: [11],
            QValues: [12],
            QIndices: [13],
            QOffsets: [14],
          },
        },
      },
    });
    const { arm, problem, enableIncumbents, settings } = decodeSubmitJobRequest(
      toBinary(SubmitJobRequestSchema, request),
    );
    expect(arm).toBe("lp");
    expect(settings).toBeUndefined();
    expect(enableIncumbents).toBeUndefined();
    expect(problem).toMatchObject({
      problemName: "p",
      objectiveName: "cost",
      maximize: false,
      objectiveScalingFactor: undefined,
      objectiveOffset: 3,
      variableNames: ["x", "ü"],
      rowNames: ["r"],
      quadraticConstraints: 0,
    });
    expect([...problem!.arrays].sort(([a], [b]) => a - b)).toEqual([
      [2, Float64Array.of(1)],
      [3, Int32Array.of(2)],
      [4, Int32Array.of(3)],
      [5, Float64Array.of(4)],
      [6, Float64Array.of(5)],
      [7, Float64Array.of(6)],
      [8, Float64Array.of(Number.POSITIVE_INFINITY)],
      [9, Float64Array.of(8)],
      [10, Float64Array.of(9)],
      [11, hex("4c")],
      [12, Int32Array.of(2)],
      [13, Float64Array.of(10)],
      [14, Float64Array.of(11)],
      [15, Float64Array.of(12)],
      [16, Int32Array.of(13)],
      [17, Int32Array.of(14)],
    ]);
  });

  it("without an arm has none", () => {
    expect(decodeSubmitJobRequest(new Uint8Array(0))).toMatchObject({ arm: undefined, problem: undefined });
  });

  it("counts the last of the arms, and merges an arm with itself", () => {
    const lp = (name: string, c: number) =>
      new MessageBuilder().message(2, new MessageBuilder().string(1, name).double(12, c));
    const mip = new MessageBuilder().message(2, new MessageBuilder().double(12, 5)).varint(4, false);
    const merged = new MessageBuilder().message(1, lp("first", 1)).message(1, lp("second", 2)).finish();
    expect(decodeSubmitJobRequest(merged).problem).toMatchObject({ problemName: "second" });
    expect(decodeSubmitJobRequest(merged).problem?.arrays.get(5)).toEqual(Float64Array.of(1, 2));

    const last = new MessageBuilder().message(1, lp("lost", 1)).message(2, mip).message(1, lp("kept", 3)).finish();
    const decoded = decodeSubmitJobRequest(last);
    expect(decoded).toMatchObject({ arm: "lp", enableIncumbents: undefined, problem: { problemName: "kept" } });
    expect(decoded.problem?.arrays.get(5)).toEqual(Float64Array.of(3));
  });

  it("recognises a routing request", () => {
    const bytes = new MessageBuilder().message(3, new MessageBuilder()).finish();
    const decoded = decodeSubmitJobRequest(bytes);
    expect(decoded.arm).toBe("vrp");
    expect(decoded.generationSigns.newer).toHaveLength(1);
  });

  it("counts quadratic constraints, which a 26.04 server would silently drop", () => {
    const row = new MessageBuilder().double(4, 1);
    const decoded = decodeSubmitJobRequest(submit(new MessageBuilder().message(25, row).message(25, row)));
    expect(decoded.problem?.quadraticConstraints).toBe(2);
    expect(decoded.generationSigns.newer).toEqual(["OptimizationProblem 25 (quadratic_constraints)"]);
  });

  it("tells an absent scaling factor from zero", () => {
    const zero = decodeSubmitJobRequest(submit(new MessageBuilder().double(4, 0)));
    expect(zero.problem?.objectiveScalingFactor).toBe(0);
    expect(zero.generationSigns.newer).toEqual(["an explicit objective_scaling_factor of 0"]);
    expect(
      decodeSubmitJobRequest(submit(new MessageBuilder().double(5, 1))).problem?.objectiveScalingFactor,
    ).toBeUndefined();
  });

  it("tells absent enable_incumbents from false", () => {
    const on = decodeSubmitJobRequest(submit(new MessageBuilder(), 2));
    expect(on.enableIncumbents).toBeUndefined();
    const off = new MessageBuilder().message(2, new MessageBuilder().varint(4, false)).finish();
    expect(decodeSubmitJobRequest(off)).toMatchObject({ enableIncumbents: false, generationSigns: { newer: [] } });
  });

  it("lists unknown fields and skips them", () => {
    const decoded = decodeSubmitJobRequest(submit(new MessageBuilder().varint(99, 1).double(12, 1)));
    expect(decoded.problem?.fieldNumbersPresent).toEqual([12, 99]);
  });

  it.each([
    [
      "text that is not UTF-8",
      new MessageBuilder().bytes(7, hex("c328")),
      "SubmitJobRequest.lp_request.problem.variable_names",
    ],
    [
      "doubles of odd length",
      new MessageBuilder().bytes(9, hex("010203")),
      "SubmitJobRequest.lp_request.problem.A_values",
    ],
    [
      "varints that end too soon",
      new MessageBuilder().bytes(10, hex("80")),
      "SubmitJobRequest.lp_request.problem.A_indices",
    ],
    ["a wrong wire type", new MessageBuilder().double(3, 1), "SubmitJobRequest.lp_request.problem.maximize"],
  ])("refuses %s, naming the field", (_what, problem, path) => {
    const decode = () => decodeSubmitJobRequest(submit(problem));
    expect(decode).toThrow(WireFormatError);
    expect(decode).toThrow(path);
  });
});

describe("the development wire before 26.04", () => {
  it.each([
    ["names in field 6", submit(new MessageBuilder().string(6, "x"))],
    [
      "matrix values where row names are now",
      submit(new MessageBuilder().bytes(8, hex("000000000000f03f")).bytes(18, hex("43")), 2),
    ],
    [
      "a time limit in LP setting 10",
      new MessageBuilder().message(1, new MessageBuilder().message(3, new MessageBuilder().double(10, 5))).finish(),
    ],
    [
      "MIP setting 14 as a varint",
      new MessageBuilder().message(2, new MessageBuilder().message(3, new MessageBuilder().varint(14, 1))).finish(),
    ],
  ])("is refused: %s", (_what, bytes) => {
    expect(() => decodeSubmitJobRequest(bytes)).toThrow(UnsupportedGenerationError);
    expect(() => decodeSubmitJobRequest(bytes)).toThrow(
      /unreleased cuOpt development version.*Use a client of cuOpt 26\.04 or newer/,
    );
  });

  it("is refused before anything else about the message is", () => {
    // Field 19 held doubles there; as enum numbers they are malformed.
    const problem = new MessageBuilder().string(6, "x").bytes(19, hex("0000000000000080"));
    expect(() => decodeSubmitJobRequest(submit(problem))).toThrow(UnsupportedGenerationError);
  });

  it("is not suspected behind row names of eight bytes", () => {
    const problem = new MessageBuilder().string(8, "capacity").bytes(18, hex("4c"));
    expect(decodeSubmitJobRequest(submit(problem)).problem?.rowNames).toEqual(["capacity"]);
  });
});

describe("encoding a submission", () => {
  it("always sends the scaling factor, and round-trips", () => {
    const arrays = new Map<ArrayFieldId, Float64Array | Int32Array | Uint8Array>([
      [ArrayFieldId.FIELD_A_VALUES, Float64Array.of(1, Number.NEGATIVE_INFINITY)],
      [ArrayFieldId.FIELD_A_INDICES, Int32Array.of(300, 70_000)],
      [ArrayFieldId.FIELD_ROW_TYPES, hex("4c45")],
      [ArrayFieldId.FIELD_B, new Float64Array(0)],
    ]);
    const problem = { arrays, variableNames: ["a", "b"], rowNames: ["r"], problemName: "n", objectiveOffset: -0 };
    const settings = encodeSettings("lp", { time_limit: 5 });
    const decoded = decodeSubmitJobRequest(encodeSubmitJobRequest({ kind: "lp", problem, settings }));
    expect(decoded).toMatchObject({ arm: "lp", version: 1, category: 0, settings });
    expect(decoded.problem).toMatchObject({ objectiveScalingFactor: 1, variableNames: ["a", "b"], rowNames: ["r"] });
    expect(Object.is(decoded.problem?.objectiveOffset, -0)).toBe(true);
    expect([...decoded.problem!.arrays.keys()].sort((a, b) => a - b)).toEqual([2, 3, 11]);
  });

  it("refuses an array of the wrong type", () => {
    const arrays = new Map([[ArrayFieldId.FIELD_A_INDICES, Float64Array.of(1)]]);
    expect(() => encodeSubmitJobRequest({ kind: "lp", problem: { arrays } })).toThrow(
      "A_indices must be an Int32Array",
    );
  });
});

describe("the header of an upload", () => {
  const encode = (header: Parameters<typeof create<typeof StartChunkedUploadRequestSchema>>[1]) =>
    toBinary(StartChunkedUploadRequestSchema, create(StartChunkedUploadRequestSchema, header));

  it("may be missing, which means an LP with all defaults", () => {
    expect(decodeStartChunkedUploadRequest(new Uint8Array(0))).toMatchObject({
      kind: "lp",
      category: 0,
      settings: undefined,
      enableIncumbents: undefined,
      variableNames: [],
    });
  });

  it.each([
    [1, "mip"],
    [0, "lp"],
    [7, "lp"],
    [1000, "lp"],
  ])("of category %d asks for %s", (problemCategory, kind) => {
    expect(decodeStartChunkedUploadRequest(encode({ problemHeader: { header: { problemCategory } } })).kind).toBe(kind);
  });

  it("carries scalars, names and the settings of its category", () => {
    const header = decodeStartChunkedUploadRequest(
      encode({
        problemHeader: {
          header: { version: 1, problemCategory: 1 },
          maximize: true,
          objectiveScalingFactor: 2,
          objectiveOffset: 3,
          problemName: "p",
          objectiveName: "o",
          variableNames: ["x"],
          rowNames: ["r"],
          settings: { case: "mipSettings", value: { timeLimit: 4 } },
          enableIncumbents: true,
        },
      }),
    );
    expect(header).toMatchObject({
      kind: "mip",
      maximize: true,
      objectiveScalingFactor: 2,
      objectiveOffset: 3,
      problemName: "p",
      objectiveName: "o",
      variableNames: ["x"],
      rowNames: ["r"],
      settingsArm: "mip",
      enableIncumbents: true,
      generationSigns: { newer: [] },
    });
    expect(header.settings).toEqual(hex("090000000000001040"));
  });

  it("runs with defaults if its settings are of the other kind", () => {
    const header = decodeStartChunkedUploadRequest(
      encode({ problemHeader: { settings: { case: "mipSettings", value: { timeLimit: 4 } } } }),
    );
    expect(header).toMatchObject({ kind: "lp", settingsArm: "mip", settings: undefined });
  });

  it("shows what only newer clients send", () => {
    const { generationSigns, quadraticConstraints } = decodeStartChunkedUploadRequest(
      encode({
        problemHeader: { problemCategory: 1, quadraticConstraints: [{ rhsValue: 1 }], enableIncumbentSet: true },
      }),
    );
    expect(quadraticConstraints).toBe(1);
    expect(generationSigns.newer).toHaveLength(3);
  });

  it("of the development wire before 26.04 is refused", () => {
    const settings = new MessageBuilder().double(10, 5);
    const bytes = new MessageBuilder().message(1, new MessageBuilder().message(20, settings)).finish();
    expect(() => decodeStartChunkedUploadRequest(bytes)).toThrow(UnsupportedGenerationError);
  });
});
