// Byte strings of the original's reference encoder: we read them, and write exactly the same bytes.
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  ArrayFieldId,
  decodeSubmitJobRequest,
  encodeSubmitJobRequest,
  MIPSolverSettingsSchema,
  PDLPSolverSettingsSchema,
  SETTINGS_DEFAULTS,
  SendArrayChunkRequestSchema,
  StatusRequestSchema,
  SubmitJobRequestSchema,
  VariableType,
} from "./index.ts";
import * as golden from "./testing/golden.ts";

const { hex, toHex } = golden;

function expectExact<Desc extends DescMessage>(schema: Desc, text: string, init: MessageInitShape<Desc>): void {
  expect(toHex(toBinary(schema, create(schema, init)))).toBe(text);
  expect(fromBinary(schema, hex(text))).toEqual(create(schema, init));
  expect(toHex(toBinary(schema, fromBinary(schema, hex(text))))).toBe(text);
}

/** The defaults as a typed message without what a 26.04 client leaves out: zeros, and all that came later. */
function stockDefaults(kind: "lp" | "mip", schema: DescMessage): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const value = SETTINGS_DEFAULTS[kind][field.name];
    if (!value || field.number > (kind === "lp" ? 30 : 28)) continue;
    message[field.localName] = field.name === "iteration_limit" ? BigInt(value) : value;
  }
  return message;
}

describe("known byte strings", () => {
  it("the connection probe", () => {
    expectExact(StatusRequestSchema, golden.CONNECTION_PROBE, { jobId: "__connection_probe__" });
  });

  it("a chunk of row offsets", () => {
    expectExact(SendArrayChunkRequestSchema, golden.ROW_OFFSETS_CHUNK, {
      uploadId: "u",
      chunk: { fieldId: 4, totalElements: 3n, data: hex("000000000200000004000000") },
    });
  });

  it("a chunk of names, whose array number and offset are zero and not on the wire", () => {
    expectExact(SendArrayChunkRequestSchema, golden.NAMES_CHUNK, {
      uploadId: "u",
      chunk: { fieldId: 0, elementOffset: 0n, totalElements: 4n, data: hex("78007900") },
    });
  });

  it("the LP settings of a stock 26.04 client", () => {
    expect(golden.LP_DEFAULTS).toHaveLength(2 * 189);
    expectExact(PDLPSolverSettingsSchema, golden.LP_DEFAULTS, stockDefaults("lp", PDLPSolverSettingsSchema));
  });

  it("the MIP settings of a stock 26.04 client", () => {
    expect(golden.MIP_DEFAULTS).toHaveLength(2 * 230);
    expectExact(MIPSolverSettingsSchema, golden.MIP_DEFAULTS, stockDefaults("mip", MIPSolverSettingsSchema));
  });

  it("a MIP submission, as a typed message", () => {
    expectExact(SubmitJobRequestSchema, golden.MIP_SUBMISSION, {
      jobData: {
        case: "mipRequest",
        value: {
          header: { version: 1, problemCategory: 1 },
          problem: {
            maximize: true,
            objectiveScalingFactor: 1,
            AValues: [1, 1],
            AIndices: [0, 1],
            AOffsets: [0, 2],
            c: [1, 2],
            rowTypes: hex("4c"),
            variableTypes: [VariableType.INTEGER, VariableType.CONTINUOUS],
          },
          enableIncumbents: false,
        },
      },
    });
  });

  it("a MIP submission, through the codec", () => {
    const arrays = new Map<ArrayFieldId, Float64Array | Int32Array | Uint8Array>([
      [ArrayFieldId.FIELD_A_VALUES, Float64Array.of(1, 1)],
      [ArrayFieldId.FIELD_A_INDICES, Int32Array.of(0, 1)],
      [ArrayFieldId.FIELD_A_OFFSETS, Int32Array.of(0, 2)],
      [ArrayFieldId.FIELD_C, Float64Array.of(1, 2)],
      [ArrayFieldId.FIELD_ROW_TYPES, hex("4c")],
      [ArrayFieldId.FIELD_VARIABLE_TYPES, Int32Array.of(1, 0)],
    ]);
    const bytes = encodeSubmitJobRequest({ kind: "mip", problem: { maximize: true, arrays }, enableIncumbents: false });
    expect(toHex(bytes)).toBe(golden.MIP_SUBMISSION);

    const submission = decodeSubmitJobRequest(hex(golden.MIP_SUBMISSION));
    expect(submission).toMatchObject({
      arm: "mip",
      category: 1,
      version: 1,
      settings: undefined,
      enableIncumbents: false,
    });
    expect(submission.problem).toMatchObject({ maximize: true, objectiveScalingFactor: 1, objectiveOffset: 0 });
    expect(submission.problem?.fieldNumbersPresent).toEqual([3, 4, 9, 10, 11, 12, 18, 19]);
    expect(new Map(submission.problem?.arrays)).toEqual(arrays);
  });
});
