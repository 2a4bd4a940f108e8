// Rules of solutions: words for numbers, values by name, and what is not there.
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type DecodedSolution,
  decodeResultResponse,
  encodeResultResponse,
  type LPSolution,
  LPSolutionSchema,
  type MIPSolution,
  MIPSolutionSchema,
  type ResultFieldId,
} from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { LpSolution, MipSolution, typedSolution } from "./solution.ts";

type Arrays = readonly (readonly [ResultFieldId, readonly number[]])[];

const received = (kind: "lp" | "mip", message: Uint8Array, arrays: Arrays): DecodedSolution => {
  const typed = new Map(arrays.map(([id, values]) => [id, Float64Array.from(values)]));
  return decodeResultResponse(encodeResultResponse({ kind, message, arrays: typed })).solution as DecodedSolution;
};
const lp = (scalars: Partial<LPSolution>, arrays: Arrays = []) =>
  received("lp", toBinary(LPSolutionSchema, create(LPSolutionSchema, scalars as LPSolution)), arrays);
const mip = (scalars: Partial<MIPSolution>, arrays: Arrays = []) =>
  received("mip", toBinary(MIPSolutionSchema, create(MIPSolutionSchema, scalars as MIPSolution)), arrays);
const names = { variableNames: ["bread", "milk"], rowNames: ["energy"] };

describe("a solution", () => {
  it("of an LP gives values, duals and reduced costs by name", () => {
    const result = lp({ lpTerminationStatus: 2, primalObjective: 5, solvedBy: 2, nbIterations: 4 }, [
      [0, [1, 2]],
      [1, [0.5]],
      [2, [0, -3]],
    ]);
    const solution = typedSolution(result, names) as LpSolution;
    expect(solution).toBeInstanceOf(LpSolution);
    expect(solution).toMatchObject({ kind: "lp", status: "optimal", objective: 5, solvedBy: "dual-simplex" });
    expect(solution.hasPoint).toBe(true);
    expect(solution.value("milk")).toBe(2);
    expect(Object.fromEntries(solution.values())).toEqual({ bread: 1, milk: 2 });
    expect(solution.dualOf("energy")).toBe(0.5);
    expect([...solution.duals()]).toEqual([["energy", 0.5]]);
    expect(solution.reducedCostOf("milk")).toBe(-3);
    expect(solution.primal).toBe(result.arrays.get(0));
  });

  it("of a MIP has bound, gap and values by name", () => {
    const solution = typedSolution(
      mip({ mipTerminationStatus: 5, mipObjective: 7, solutionBound: 6 }, [[12, [1, 0]]]),
      names,
    );
    expect(solution).toBeInstanceOf(MipSolution);
    expect(solution).toMatchObject({ kind: "mip", status: "time-limit", objective: 7, bound: 6 });
    expect(solution.value("bread")).toBe(1);
  });

  it("without a point says so instead of giving a number", () => {
    const solution = typedSolution(lp({ lpTerminationStatus: 3 }), names) as LpSolution;
    expect(solution.hasPoint).toBe(false);
    expect(solution.values().size).toBe(0);
    expect(solution.duals().size).toBe(0);
    expect(() => solution.value("bread")).toThrow("the solution (primal-infeasible) has no value for variable bread");
    expect(() => solution.dualOf("energy")).toThrow(/\(primal-infeasible\) has no value for constraint energy/);
  });

  it("refuses names that the model does not have", () => {
    const result = mip({ mipTerminationStatus: 1 }, [[12, [1, 0]]]);
    expect(() => typedSolution(result, names).value("bred")).toThrow("there is no variable bred; did you mean bread?");
    expect(() => typedSolution(result).value("bread")).toThrow("the model has no variable names");
    expect(() => typedSolution(result).values()).toThrow("the model has no variable names");
  });

  it("reads a status that no known server sends as none", () => {
    const newer: number = 99;
    expect(typedSolution(lp({ lpTerminationStatus: newer, solvedBy: newer }))).toMatchObject({
      status: "none",
      solvedBy: "unset",
    });
    expect(typedSolution(mip({ mipTerminationStatus: newer })).status).toBe("none");
  });

  it("has a warm start only if its arrays came", () => {
    const arrays: Arrays = Array.from({ length: 9 }, (_, at) => [(3 + at) as ResultFieldId, [at]] as const);
    const scalars = create(LPSolutionSchema, { warmStartData: { initialStepSize: 0.5, totalPdlpIterations: 3 } });
    const { warmStart } = typedSolution(lp(scalars, arrays)) as LpSolution;
    expect(warmStart).toMatchObject({ initialStepSize: 0.5, totalPdlpIterations: 3 });
    expect(warmStart?.currentPrimal).toEqual(Float64Array.of(0));
    expect(warmStart?.lastRestartGapDual).toEqual(Float64Array.of(8));
    expect((typedSolution(lp(scalars)) as LpSolution).warmStart).toBeUndefined();
  });

  it("reads warm start scalars that did not come as -1", () => {
    const { kind, message, scalars } = lp({ lpTerminationStatus: 2 }) as DecodedSolution & { kind: "lp" };
    const solution = new LpSolution({ kind, message, scalars, arrays: new Map([[3, Float64Array.of(1)]]) });
    expect(solution.warmStart).toMatchObject({ initialPrimalWeight: -1, iterationsSinceLastRestart: -1 });
  });
});
