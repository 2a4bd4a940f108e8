// Property tests: the decoders withstand any bytes, and agree with protobuf-es on every well-formed message.
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MessageBuilder } from "./builder.ts";
import {
  type ArrayFieldId,
  asBytes,
  classifySettings,
  decodeIncumbentResponse,
  decodeResultResponse,
  decodeStartChunkedUploadRequest,
  decodeSubmitJobRequest,
  doublesFromBytes,
  encodeChunkedResultHeader,
  encodeIncumbentResponse,
  encodeResultResponse,
  encodeSubmitJobRequest,
  IncumbentResponseSchema,
  int32sFromVarints,
  joinNames,
  LPSolutionSchema,
  MIPSolutionSchema,
  MIPSolverSettingsSchema,
  PDLPSolverSettingsSchema,
  ResultResponseSchema,
  rawFields,
  rawMessage,
  StartChunkedUploadRequestSchema,
  SubmitJobRequestSchema,
  settingFields,
  splitNames,
  UnsupportedGenerationError,
  varintsFromInt32s,
  WireFormatError,
} from "./index.ts";

// fast-check prints the seed of a failing run.
const budget = { interruptAfterTimeLimit: 6_000, markInterruptAsFailure: false } as const;
const runs = (numRuns: number) => ({ ...budget, numRuns });

const decoders: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  decodeSubmitJobRequest,
  decodeStartChunkedUploadRequest,
  decodeResultResponse,
  decodeIncumbentResponse,
  lpSettings: (bytes) => classifySettings("lp", bytes),
  mipSettings: (bytes) => classifySettings("mip", bytes),
  doublesFromBytes: (bytes) => doublesFromBytes(bytes),
  int32sFromVarints: (bytes) => int32sFromVarints(bytes),
  splitNames: (bytes) => splitNames(bytes),
  rawMessage,
};

function withstands(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    decode(bytes);
  } catch (error) {
    if (!(error instanceof WireFormatError) && !(error instanceof UnsupportedGenerationError)) throw error;
  }
}

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const doubles = fc.array(fc.double(), { maxLength: 12 });
const ints = fc.array(int32, { maxLength: 12 });
const text = fc.string({ unit: "binary", maxLength: 8 }).filter((value) => value.isWellFormed());
const texts = fc.array(text, { maxLength: 4 });
const smallBytes = fc.uint8Array({ maxLength: 8 });

const problem = fc.record(
  {
    problemName: text,
    objectiveName: text,
    maximize: fc.boolean(),
    objectiveScalingFactor: fc.double(),
    objectiveOffset: fc.double(),
    variableNames: texts,
    rowNames: texts,
    AValues: doubles,
    AIndices: ints,
    AOffsets: ints,
    c: doubles,
    b: doubles,
    variableLowerBounds: doubles,
    variableUpperBounds: doubles,
    constraintLowerBounds: doubles,
    constraintUpperBounds: doubles,
    rowTypes: smallBytes,
    variableTypes: ints,
    initialPrimalSolution: doubles,
    initialDualSolution: doubles,
    QValues: doubles,
    QIndices: ints,
    QOffsets: ints,
    quadraticConstraints: fc.array(fc.record({ rhsValue: fc.double() }), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

/** Any settings message of a schema, by local names. */
function settings(kind: "lp" | "mip"): fc.Arbitrary<Record<string, unknown>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of settingFields(kind)) {
    // ScalarType: 1 double, 3 int64, 8 bool.
    if (field.scalar === 1) model[field.localName] = fc.double();
    else if (field.scalar === 3) model[field.localName] = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    else if (field.scalar === 8) model[field.localName] = fc.boolean();
    else model[field.localName] = int32;
  }
  return fc.record(model, { requiredKeys: [] });
}

const request = fc.oneof(
  fc.record({ problem, settings: settings("lp") }, { requiredKeys: [] }).map((value) => ({
    jobData: { case: "lpRequest" as const, value },
  })),
  fc
    .record({ problem, settings: settings("mip"), enableIncumbents: fc.boolean() }, { requiredKeys: [] })
    .map((value) => ({ jobData: { case: "mipRequest" as const, value } })),
);

function encode<Desc extends DescMessage>(schema: Desc, init: unknown): Uint8Array {
  return toBinary(schema, create(schema, init as MessageInitShape<Desc>));
}

/** The problem of a linear or mixed-integer request, as protobuf-es decodes it. */
function typedProblem(bytes: Uint8Array) {
  const { jobData } = fromBinary(SubmitJobRequestSchema, bytes);
  return jobData.case === "lpRequest" || jobData.case === "mipRequest" ? jobData.value.problem : undefined;
}

/** A well-formed message damaged in one place. */
function damaged(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(bytes, fc.nat(), fc.nat(255), fc.constantFrom("change", "cut", "insert"))
    .map(([whole, where, byte, how]) => {
      const at = whole.length === 0 ? 0 : where % whole.length;
      if (how === "cut") return whole.slice(0, at);
      if (how === "insert") return Uint8Array.of(...whole.subarray(0, at), byte, ...whole.subarray(at));
      return whole.map((old, index) => (index === at ? byte : old));
    });
}

describe("decoders", () => {
  it.each(Object.keys(decoders))("%s: any bytes are decoded or refused, never worse", (name) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => withstands(decoders[name]!, bytes)),
      runs(3_000),
    );
  });

  it.each(Object.keys(decoders))("%s: a damaged message is decoded or refused, never worse", (name) => {
    const whole = fc.oneof(
      request.map((init) => encode(SubmitJobRequestSchema, init)),
      settings("lp").map((init) => encode(PDLPSolverSettingsSchema, init)),
      settings("mip").map((init) => encode(MIPSolverSettingsSchema, init)),
    );
    fc.assert(
      fc.property(damaged(whole), (bytes) => withstands(decoders[name]!, bytes)),
      runs(500),
    );
  });

  it("claim no memory for lengths that are not there", () => {
    // Two bytes of tag, a length of gigabytes, nothing behind it.
    for (const number of [1, 2, 3, 9, 10, 12, 19]) {
      for (const decode of Object.values(decoders)) {
        withstands(decode, Uint8Array.of((number * 8 + 2) & 0x7f, 0xff, 0xff, 0xff, 0xff, 0x07));
      }
    }
  });
});

describe("the codec and protobuf-es", () => {
  it("decode the same problem", () => {
    fc.assert(
      fc.property(request, (init) => {
        const bytes = encode(SubmitJobRequestSchema, init);
        let ours: ReturnType<typeof decodeSubmitJobRequest>;
        try {
          ours = decodeSubmitJobRequest(bytes);
        } catch (error) {
          // Random settings may look like the development wire; that rule is tested elsewhere.
          if (error instanceof UnsupportedGenerationError) return;
          throw error;
        }
        expect(`${ours.arm}Request`).toBe(init.jobData.case);
        const typed = typedProblem(bytes);
        expect(ours.problem === undefined).toBe(typed === undefined);
        if (typed === undefined || ours.problem === undefined) return;
        expect(ours.problem).toMatchObject({
          problemName: typed.problemName,
          objectiveName: typed.objectiveName,
          maximize: typed.maximize,
          objectiveScalingFactor: typed.objectiveScalingFactor,
          objectiveOffset: typed.objectiveOffset,
          variableNames: typed.variableNames,
          rowNames: typed.rowNames,
          quadraticConstraints: typed.quadraticConstraints.length,
        });
        const numbers = {
          2: typed.AValues,
          3: typed.AIndices,
          4: typed.AOffsets,
          5: typed.c,
          6: typed.b,
          7: typed.variableLowerBounds,
          8: typed.variableUpperBounds,
          9: typed.constraintLowerBounds,
          10: typed.constraintUpperBounds,
          11: Array.from(typed.rowTypes),
          12: typed.variableTypes,
          13: typed.initialPrimalSolution,
          14: typed.initialDualSolution,
          15: typed.QValues,
          16: typed.QIndices,
          17: typed.QOffsets,
        };
        for (const [id, expected] of Object.entries(numbers)) {
          const array = ours.problem.arrays.get(Number(id) as ArrayFieldId) ?? [];
          expect(Array.from(array), `array ${id}`).toEqual(expected);
        }
      }),
      runs(400),
    );
  });

  it("decode the same settings", () => {
    for (const [kind, schema] of [
      ["lp", PDLPSolverSettingsSchema],
      ["mip", MIPSolverSettingsSchema],
    ] as const) {
      fc.assert(
        fc.property(settings(kind), (init) => {
          // Setting 9 keeps 33 to 40 of an LP from looking like the development wire.
          const bytes = encode(schema, kind === "lp" ? { ...init, timeLimit: 1 } : init);
          const typed = fromBinary<DescMessage>(schema, bytes) as unknown as Record<string, unknown>;
          const { values } = classifySettings(kind, bytes);
          for (const field of settingFields(kind)) {
            let expected = Object.hasOwn(typed, field.localName) ? typed[field.localName] : undefined;
            if (typeof expected === "bigint") {
              expected = Math.max(-(2 ** 53), Math.min(2 ** 53, Number(expected)));
            }
            expect(values.get(field.number), field.name).toEqual(expected);
          }
        }),
        runs(200),
      );
    }
  });

  it("read the same upload header", () => {
    const header = fc.record(
      {
        header: fc.record({ version: fc.nat(), problemCategory: fc.constantFrom(0, 1, 5, 1000) }),
        maximize: fc.boolean(),
        objectiveScalingFactor: fc.double(),
        objectiveOffset: fc.double(),
        problemName: text,
        objectiveName: text,
        variableNames: texts,
        rowNames: texts,
        enableIncumbents: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(header, (problemHeader) => {
        const bytes = encode(StartChunkedUploadRequestSchema, { problemHeader });
        const typed = fromBinary(StartChunkedUploadRequestSchema, bytes).problemHeader!;
        expect(decodeStartChunkedUploadRequest(bytes)).toMatchObject({
          kind: typed.header?.problemCategory === 1 ? "mip" : "lp",
          maximize: typed.maximize,
          objectiveScalingFactor: typed.objectiveScalingFactor,
          objectiveOffset: typed.objectiveOffset,
          problemName: typed.problemName,
          objectiveName: typed.objectiveName,
          variableNames: typed.variableNames,
          rowNames: typed.rowNames,
          enableIncumbents: typed.enableIncumbents,
        });
      }),
      runs(200),
    );
  });

  it("decode what is scattered over runs, single values and segments alike", () => {
    const part = fc.oneof(
      fc
        .array(int32, { maxLength: 5 })
        .map((values) => ({ number: 10, packed: varintsFromInt32s(Int32Array.from(values)) })),
      int32.map((single) => ({ number: 10, single })),
      doubles.map((values) => ({ number: 12, packed: asBytes(Float64Array.from(values)) })),
      fc.double().map((single) => ({ number: 12, single })),
    );
    fc.assert(
      fc.property(fc.array(fc.array(part, { maxLength: 6 }), { maxLength: 4 }), (segments) => {
        const arm = new MessageBuilder();
        for (const parts of segments) {
          const message = new MessageBuilder();
          for (const field of parts) {
            if ("packed" in field) message.bytes(field.number, field.packed);
            else if (field.number === 10) message.varint(10, field.single);
            else message.double(12, field.single);
          }
          arm.message(2, message);
        }
        const bytes = new MessageBuilder().message(1, arm).finish();
        const arrays = decodeSubmitJobRequest(bytes).problem?.arrays;
        const typed = typedProblem(bytes);
        expect(Array.from(arrays?.get(3) ?? [])).toEqual(typed?.AIndices ?? []);
        expect(Array.from(arrays?.get(5) ?? [])).toEqual(typed?.c ?? []);
      }),
      runs(400),
    );
  });

  it("agree on what the codec encodes", () => {
    // Long enough that the length of the text and the length of its UTF-8 need different numbers of bytes.
    const longTexts = fc.array(fc.oneof(text, fc.string({ unit: "grapheme", minLength: 40, maxLength: 60 })), {
      maxLength: 6,
    });
    const float64 = doubles.map((values) => Float64Array.from(values));
    fc.assert(
      fc.property(
        float64,
        fc.array(int32).map((values) => Int32Array.from(values)),
        longTexts,
        (c, indices, names) => {
          const arrays = new Map<ArrayFieldId, Float64Array | Int32Array>([
            [5, c],
            [3, indices],
          ]);
          const bytes = encodeSubmitJobRequest({ kind: "mip", problem: { arrays, variableNames: names } });
          expect(toBinary(SubmitJobRequestSchema, fromBinary(SubmitJobRequestSchema, bytes))).toEqual(bytes);
        },
      ),
      runs(200),
    );
    fc.assert(
      fc.property(fc.array(float64, { minLength: 12, maxLength: 12 }), fc.double(), (values, objective) => {
        const lp = {
          kind: "lp" as const,
          message: encode(LPSolutionSchema, {
            primalObjective: objective,
            warmStartData: { initialStepSize: objective },
          }),
          arrays: new Map(values.map((array, id) => [id, array])),
        };
        const mip = {
          kind: "mip" as const,
          message: encode(MIPSolutionSchema, { mipObjective: objective }),
          arrays: new Map([[12, values[0]!]]),
        };
        for (const solution of [lp, mip]) {
          const bytes = encodeResultResponse(solution);
          expect(toBinary(ResultResponseSchema, fromBinary(ResultResponseSchema, bytes))).toEqual(bytes);
          const decoded = decodeResultResponse(bytes).solution!;
          expect(encodeResultResponse(decoded)).toEqual(bytes);
          expect(encodeChunkedResultHeader(decoded)).toEqual(encodeChunkedResultHeader(solution));
        }
        const entries = values.map((assignment, index) => ({ jobId: "j", index, objective, assignment }));
        const response = encodeIncumbentResponse(entries, 12, true);
        expect(toBinary(IncumbentResponseSchema, fromBinary(IncumbentResponseSchema, response))).toEqual(response);
        expect(decodeIncumbentResponse(response).incumbents).toEqual(entries);
      }),
      runs(100),
    );
  });

  it("pass any well-formed message through a raw route unchanged", () => {
    fc.assert(
      fc.property(request, (init) => {
        const bytes = encode(SubmitJobRequestSchema, init);
        expect(toBinary(EmptySchema, rawMessage(bytes))).toEqual(bytes);
        expect(toBinary(EmptySchema, fromBinary(EmptySchema, bytes))).toEqual(bytes);
        expect(rawFields(fromBinary(EmptySchema, bytes))).toEqual(rawFields(rawMessage(bytes)));
      }),
      runs(200),
    );
  });
});

describe("round trips", () => {
  it("of int32 numbers as varints", () => {
    fc.assert(
      fc.property(fc.array(int32), (values) => {
        const numbers = Int32Array.from(values);
        expect(int32sFromVarints(varintsFromInt32s(numbers))).toEqual(numbers);
      }),
      runs(500),
    );
  });

  it("of names as a blob", () => {
    const name = text.filter((value) => !value.includes("\0"));
    fc.assert(
      fc.property(fc.array(name), (names) => {
        expect(splitNames(joinNames(names))).toEqual(names);
      }),
      runs(500),
    );
  });
});
