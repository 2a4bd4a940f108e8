// Rules of a result on its way out.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { MessageBuilder } from "./builder.ts";
import {
  chunkedResultHeader,
  decodeIncumbentResponse,
  decodeResultResponse,
  type EncodedSolution,
  encodeChunkedResultHeader,
  encodeFailureResponse,
  encodeIncumbentResponse,
  encodeResultResponse,
  IncumbentResponseSchema,
  LPSolutionSchema,
  MIPSolutionSchema,
  MIPTerminationStatus,
  PDLPTerminationStatus,
  ProblemCategory,
  ResponseStatus,
  ResultFieldId,
  ResultResponseSchema,
  resultSizeBytes,
  WireFormatError,
} from "./index.ts";
import { hex, toHex } from "./testing/golden.ts";

const lpScalars = create(LPSolutionSchema, {
  lpTerminationStatus: PDLPTerminationStatus.PDLP_OPTIMAL,
  errorMessage: "none",
  l2PrimalResidual: 1e-9,
  l2DualResidual: -0,
  primalObjective: Number.NaN,
  dualObjective: Number.NEGATIVE_INFINITY,
  gap: 5e-324,
  nbIterations: -7,
  solveTime: 1.25,
  solvedBy: 2,
  warmStartData: { initialPrimalWeight: 3, totalPdlpIterations: 4, iterationsSinceLastRestart: 5 },
});
const lpSolution: EncodedSolution = {
  kind: "lp",
  message: toBinary(LPSolutionSchema, lpScalars),
  arrays: new Map(Array.from({ length: 12 }, (_, id) => [id as ResultFieldId, Float64Array.of(id, id + 0.5, -0)])),
};
const mipScalars = create(MIPSolutionSchema, {
  mipTerminationStatus: MIPTerminationStatus.MIP_FEASIBLE_FOUND,
  mipErrorMessage: "m",
  mipObjective: -0,
  mipGap: 0.5,
  solutionBound: Number.NaN,
  totalSolveTime: 2,
  presolveTime: 1,
  maxConstraintViolation: 1e-7,
  maxIntViolation: 1e-8,
  maxVariableBoundViolation: 1e-9,
  nodes: 12,
  simplexIterations: 34,
});
const mipSolution: EncodedSolution = {
  kind: "mip",
  message: toBinary(MIPSolutionSchema, mipScalars),
  arrays: new Map([[ResultFieldId.RESULT_MIP_SOLUTION, Float64Array.of(1, 0, 1)]]),
};

describe("a unary result", () => {
  it("of an LP is what the typed schema reads, warm start nested", () => {
    const response = fromBinary(ResultResponseSchema, encodeResultResponse(lpSolution));
    expect(response.status).toBe(ResponseStatus.SUCCESS);
    expect(response.solution.case).toBe("lpSolution");
    const array = (id: number) => [id, id + 0.5, -0];
    const expected = create(LPSolutionSchema, {
      ...lpScalars,
      primalSolution: array(0),
      dualSolution: array(1),
      reducedCost: array(2),
      warmStartData: {
        ...lpScalars.warmStartData!,
        currentPrimalSolution: array(3),
        currentDualSolution: array(4),
        initialPrimalAverage: array(5),
        initialDualAverage: array(6),
        currentATY: array(7),
        sumPrimalSolutions: array(8),
        sumDualSolutions: array(9),
        lastRestartDualityGapPrimalSolution: array(10),
        lastRestartDualityGapDualSolution: array(11),
      },
    });
    expect(response.solution.value).toEqual(expected);
  });

  it("is exactly what the reference encoder writes", () => {
    for (const solution of [lpSolution, mipSolution]) {
      const bytes = encodeResultResponse(solution);
      expect(toHex(toBinary(ResultResponseSchema, fromBinary(ResultResponseSchema, bytes)))).toBe(toHex(bytes));
    }
  });

  it.each([
    ["LP", lpSolution, lpScalars],
    ["MIP", mipSolution, mipScalars],
  ] as const)("of an %s comes back equal, scalars and arrays", (_kind, solution, scalars) => {
    const decoded = decodeResultResponse(encodeResultResponse(solution));
    expect(decoded).toMatchObject({ status: ResponseStatus.SUCCESS, errorMessage: "" });
    expect(decoded.solution?.scalars).toEqual(scalars);
    expect(decoded.solution?.message).toEqual(solution.message);
    expect(new Map(decoded.solution?.arrays)).toEqual(solution.arrays);
    expect(resultSizeBytes(decoded.solution!.arrays)).toBe(solution.kind === "lp" ? 12 * 24 : 24);
  });

  it("without arrays and scalars still says which kind it is", () => {
    for (const kind of ["lp", "mip"] as const) {
      const bytes = encodeResultResponse({ kind, message: new Uint8Array(0), arrays: new Map() });
      expect(decodeResultResponse(bytes).solution).toMatchObject({ kind, arrays: new Map() });
    }
  });

  it("has no warm start unless there is one", () => {
    const bytes = encodeResultResponse({ kind: "lp", message: hex("c03e02"), arrays: new Map() });
    const { solution } = fromBinary(ResultResponseSchema, bytes);
    expect(solution.case === "lpSolution" && solution.value.warmStartData).toBeUndefined();
  });

  it("keeps the bits of a NaN", () => {
    // Field 1004 (primal_objective) with a payload, as it stands in the message.
    const scalar = hex("e13e010000000000f87f");
    const bytes = encodeResultResponse({ kind: "lp", message: scalar, arrays: new Map() });
    expect(toHex(bytes).endsWith(toHex(scalar))).toBe(true);
    expect(toHex(encodeChunkedResultHeader({ kind: "lp", message: scalar, arrays: new Map() }))).toBe(toHex(scalar));
  });

  it("of a failed job carries the reason", () => {
    const bytes = encodeFailureResponse(ResponseStatus.ERROR_SOLVE_FAILED, "out of memory");
    expect(fromBinary(ResultResponseSchema, bytes)).toMatchObject({
      status: ResponseStatus.ERROR_SOLVE_FAILED,
      errorMessage: "out of memory",
      solution: { case: undefined },
    });
    expect(decodeResultResponse(bytes)).toEqual({
      status: ResponseStatus.ERROR_SOLVE_FAILED,
      errorMessage: "out of memory",
      solution: undefined,
    });
  });

  it("with a scalar of the wrong wire type is refused", () => {
    const solution = new MessageBuilder().varint(1004, 1);
    const bytes = new MessageBuilder().message(10, solution).finish();
    expect(() => decodeResultResponse(bytes)).toThrow(WireFormatError);
    expect(() => decodeResultResponse(bytes)).toThrow(/lp_solution\.primal_objective/);
  });
});

describe("the header of a chunked result", () => {
  it("of an LP has every scalar of the solution and of its warm start", () => {
    const header = chunkedResultHeader(lpSolution);
    expect(header).toMatchObject({
      problemCategory: ProblemCategory.LP,
      lpTerminationStatus: PDLPTerminationStatus.PDLP_OPTIMAL,
      errorMessage: "none",
      l2PrimalResidual: 1e-9,
      primalObjective: Number.NaN,
      dualObjective: Number.NEGATIVE_INFINITY,
      gap: 5e-324,
      nbIterations: -7,
      solveTime: 1.25,
      solvedBy: 2,
      wsInitialPrimalWeight: 3,
      wsTotalPdlpIterations: 4,
      wsIterationsSinceLastRestart: 5,
    });
    expect(Object.is(header.l2DualResidual, -0)).toBe(true);
    expect(header.$unknown).toBeUndefined();
  });

  it("of a MIP has every scalar", () => {
    const { $typeName, mipSolution: _array, ...scalars } = mipScalars;
    expect($typeName).toBe("cuopt.remote.MIPSolution");
    expect(chunkedResultHeader(mipSolution)).toMatchObject({ ...scalars, problemCategory: ProblemCategory.MIP });
  });

  it("lists the arrays that are not empty, by ascending number", () => {
    const arrays = new Map([
      [ResultFieldId.RESULT_REDUCED_COST, new Float64Array(5)],
      [ResultFieldId.RESULT_DUAL_SOLUTION, new Float64Array(0)],
      [ResultFieldId.RESULT_PRIMAL_SOLUTION, new Float64Array(7)],
    ]);
    const header = chunkedResultHeader({ kind: "lp", message: new Uint8Array(0), arrays });
    expect(header.arrays.map((array) => [array.fieldId, array.totalElements, array.elementSizeBytes])).toEqual([
      [ResultFieldId.RESULT_PRIMAL_SOLUTION, 7n, 8n],
      [ResultFieldId.RESULT_REDUCED_COST, 5n, 8n],
    ]);
  });
});

describe("incumbents", () => {
  const entries = [
    { jobId: "j", index: 0, objective: -0, assignment: Float64Array.of(1, 2) },
    { jobId: "j", index: 1, objective: Number.NaN, assignment: new Float64Array(0) },
  ];

  it("are what the typed schema reads", () => {
    const bytes = encodeIncumbentResponse(entries, 2, true);
    const typed = fromBinary(IncumbentResponseSchema, bytes);
    expect(
      typed.incumbents.map(({ jobId, index, objective, assignment }) => [jobId, index, objective, assignment]),
    ).toEqual([
      ["j", 0n, -0, [1, 2]],
      ["j", 1n, Number.NaN, []],
    ]);
    expect(typed).toMatchObject({ nextIndex: 2n, jobComplete: true });
    expect(toHex(toBinary(IncumbentResponseSchema, typed))).toBe(toHex(bytes));
  });

  it("come back equal", () => {
    expect(decodeIncumbentResponse(encodeIncumbentResponse(entries, 2, false))).toEqual({
      incumbents: entries,
      nextIndex: 2,
      jobComplete: false,
    });
    expect(decodeIncumbentResponse(encodeIncumbentResponse([], 0, false)).incumbents).toEqual([]);
  });
});
