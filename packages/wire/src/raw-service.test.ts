// Rules of raw routes, which stand on how protobuf-es keeps unknown fields.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  ArrayFieldId,
  CuOptRemoteService,
  decodeSubmitJobRequest,
  encodeResultResponse,
  encodeSubmitJobRequest,
  ResultFieldId,
  ResultResponseSchema,
  rawFields,
  rawMessage,
  StatusRequestSchema,
  withRawMessages,
} from "./index.ts";
import { hex, MIP_SUBMISSION, toHex } from "./testing/golden.ts";

const raw = withRawMessages(CuOptRemoteService, { submitJob: { input: true }, getResult: { output: true } });

describe("a raw service", () => {
  it("is the same service, with empty messages where asked for and nowhere else", () => {
    expect(raw.typeName).toBe(CuOptRemoteService.typeName);
    expect(raw.methods.map((method) => method.name)).toEqual(CuOptRemoteService.methods.map((method) => method.name));
    expect(raw.method.submitJob.input).toBe(EmptySchema);
    expect(raw.method.submitJob.output).toBe(CuOptRemoteService.method.submitJob.output);
    expect(raw.method.getResult.input).toBe(CuOptRemoteService.method.getResult.input);
    expect(raw.method.getResult.output).toBe(EmptySchema);
    expect(raw.method.streamLogs.methodKind).toBe("server_streaming");
    for (const method of raw.methods) expect(method.parent).toBe(raw);
  });

  it("leaves the typed service as it is", () => {
    expect(CuOptRemoteService.method.submitJob.input.typeName).toBe("cuopt.remote.SubmitJobRequest");
    expect(CuOptRemoteService.method.submitJob.parent).toBe(CuOptRemoteService);
  });

  it("refuses a method that does not exist", () => {
    const wrong = { submitJobs: { input: true } } as object;
    expect(() => withRawMessages(CuOptRemoteService, wrong)).toThrow("has no method submitJobs");
  });
});

describe("a raw message", () => {
  it("goes out as its bytes", () => {
    for (const text of ["", MIP_SUBMISSION, "08960112036162631d010203042101020304050607080801"]) {
      expect(toHex(toBinary(EmptySchema, rawMessage(hex(text))))).toBe(text);
    }
  });

  it("comes in as views that decode like the bytes", () => {
    const bytes = hex(MIP_SUBMISSION);
    const fields = rawFields(fromBinary(EmptySchema, bytes));
    for (const field of fields) expect(field.data.buffer).toBe(bytes.buffer);
    expect(decodeSubmitJobRequest(fields)).toEqual(decodeSubmitJobRequest(bytes));
    expect(rawFields(create(EmptySchema))).toEqual([]);
  });

  it("is what a typed client reads", () => {
    const arrays = new Map([[ResultFieldId.RESULT_MIP_SOLUTION, Float64Array.of(1, 2)]]);
    const sent = toBinary(
      EmptySchema,
      rawMessage(encodeResultResponse({ kind: "mip", message: hex("807d01"), arrays })),
    );
    const { solution } = fromBinary(ResultResponseSchema, sent);
    expect(solution.case === "mipSolution" && solution.value.mipSolution).toEqual([1, 2]);
  });

  it("may come from a typed client", () => {
    const sent = toBinary(StatusRequestSchema, create(StatusRequestSchema, { jobId: "abc" }));
    const [field, ...rest] = rawFields(fromBinary(EmptySchema, sent));
    expect(rest).toEqual([]);
    expect(field).toMatchObject({ no: 1, wireType: 2, data: hex("03616263") });
  });

  it("of 64 MB passes through both ways without being looked at element by element", () => {
    const values = new Float64Array(8_000_000).fill(1.5);
    const arrays = new Map([[ArrayFieldId.FIELD_A_VALUES, values]]);
    const bytes = encodeSubmitJobRequest({ kind: "lp", problem: { arrays } });
    const received = toBinary(EmptySchema, rawMessage(bytes));
    expect(Buffer.compare(received, bytes)).toBe(0);
    const message = fromBinary(EmptySchema, received);
    // One field, one view: the 8 million numbers were never touched one by one.
    expect(rawFields(message)).toHaveLength(1);
    expect(rawFields(message)[0]!.data.buffer).toBe(received.buffer);
    const decoded = decodeSubmitJobRequest(rawFields(message)).problem?.arrays.get(ArrayFieldId.FIELD_A_VALUES);
    expect(decoded).toHaveLength(values.length);
    expect(
      Buffer.compare(
        Buffer.from(decoded!.buffer, decoded!.byteOffset, decoded!.byteLength),
        Buffer.from(values.buffer),
      ),
    ).toBe(0);
  });
});
