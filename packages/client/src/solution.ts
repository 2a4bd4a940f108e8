// What a solve answered: status words, objectives, and values by index or by name.
import {
  type DecodedSolution,
  LP_STATUS_WORDS,
  MIP_STATUS_WORDS,
  type PDLPWarmStartData,
  ResultFieldId,
} from "@sortie/wire";
import { InvalidModelError } from "./input-errors.ts";
import { nearest } from "./nearest.ts";

/** Why the solve of an LP or QP ended. "dual-infeasible" is unbounded. "none" also stands for a number that no known server sends. */
export type LpStatus = (typeof LP_STATUS_WORDS)[number];

/** Why the solve of a MIP ended. */
export type MipStatus = (typeof MIP_STATUS_WORDS)[number];

const METHODS = ["concurrent", "pdlp", "dual-simplex", "barrier", "unset"] as const;
export type LpMethod = (typeof METHODS)[number];

/** The names of a model, for values by name. A list that is absent or empty has no names. */
export interface Names {
  readonly variableNames?: readonly string[] | undefined;
  readonly rowNames?: readonly string[] | undefined;
}

/** What solutions of every kind have. Arrays are in the space of the model that was sent. */
abstract class NamedSolution {
  readonly #variables: NameIndex;
  abstract readonly kind: "lp" | "mip";
  abstract readonly status: LpStatus | MipStatus;
  /** A value for each variable, or empty if no point is known. */
  protected abstract readonly point: Float64Array;

  constructor(names: Names) {
    this.#variables = new NameIndex("variable", names.variableNames);
  }

  /** Whether there are values of the variables. */
  get hasPoint(): boolean {
    return this.point.length > 0;
  }

  /**
   * The value of a variable.
   * @throws InvalidModelError if the model has no variable of this name, or no point is known
   */
  value(name: string): number {
    return this.element(this.point, this.#variables, name);
  }

  /**
   * Name and value of every variable, in the order of the model; nothing if no point is known.
   * @throws InvalidModelError if the model has no names
   */
  values(): Map<string, number> {
    return this.named(this.point, this.#variables);
  }

  protected variableElement(array: Float64Array, name: string): number {
    return this.element(array, this.#variables, name);
  }

  protected element(array: Float64Array, index: NameIndex, name: string): number {
    const value = array[index.of(name)];
    if (value !== undefined) return value;
    throw new InvalidModelError(`the solution (${this.status}) has no value for ${index.what} ${name}`);
  }

  protected named(array: Float64Array, index: NameIndex): Map<string, number> {
    return array.length === 0 ? new Map() : new Map(index.names().map((name, at) => [name, array[at]!]));
  }
}

/** The answer to an LP or QP. Objectives are in the sense of the model, scaling and offset included. */
export class LpSolution extends NamedSolution {
  readonly kind = "lp";
  readonly status: LpStatus;
  /** What the server adds in words; mostly empty. */
  readonly message: string;
  /** Primal objective. */
  readonly objective: number;
  readonly dualObjective: number;
  /** Difference of primal and dual objective. */
  readonly gap: number;
  /** A value for each variable, or empty. */
  readonly primal: Float64Array;
  /** A value for each row, or empty: by how much the objective changes per unit of the row's bound. */
  readonly dual: Float64Array;
  /** A value for each variable, or empty. */
  readonly reducedCosts: Float64Array;
  /** ‖violation of row and variable bounds‖₂ */
  readonly l2PrimalResidual: number;
  /** ‖violation of dual feasibility‖₂ */
  readonly l2DualResidual: number;
  readonly iterations: number;
  readonly solveSeconds: number;
  /** Which method answered. */
  readonly solvedBy: LpMethod;
  /** State of PDLP at its end; only cuOpt's PDLP has one. No server takes it back: see `initialPrimal` of a model. */
  readonly warmStart: PdlpWarmStart | undefined;
  readonly #rows: NameIndex;

  constructor(result: DecodedSolution & { readonly kind: "lp" }, names: Names = {}) {
    super(names);
    this.#rows = new NameIndex("constraint", names.rowNames);
    const { scalars } = result;
    this.status = LP_STATUS_WORDS[scalars.lpTerminationStatus] ?? "none";
    this.message = scalars.errorMessage;
    this.objective = scalars.primalObjective;
    this.dualObjective = scalars.dualObjective;
    this.gap = scalars.gap;
    this.primal = arrayOf(result, ResultFieldId.RESULT_PRIMAL_SOLUTION);
    this.dual = arrayOf(result, ResultFieldId.RESULT_DUAL_SOLUTION);
    this.reducedCosts = arrayOf(result, ResultFieldId.RESULT_REDUCED_COST);
    this.l2PrimalResidual = scalars.l2PrimalResidual;
    this.l2DualResidual = scalars.l2DualResidual;
    this.iterations = scalars.nbIterations;
    this.solveSeconds = scalars.solveTime;
    this.solvedBy = METHODS[scalars.solvedBy] ?? "unset";
    this.warmStart = warmStartOf(result, scalars.warmStartData);
  }

  protected override get point(): Float64Array {
    return this.primal;
  }

  /**
   * The dual value of a constraint.
   * @throws InvalidModelError if the model has no constraint of this name, or no dual values are known
   */
  dualOf(constraint: string): number {
    return this.element(this.dual, this.#rows, constraint);
  }

  /**
   * Name and dual value of every constraint, in the order of the model; nothing if they are not known.
   * @throws InvalidModelError if the model has no names
   */
  duals(): Map<string, number> {
    return this.named(this.dual, this.#rows);
  }

  /**
   * The reduced cost of a variable.
   * @throws InvalidModelError if the model has no variable of this name, or no reduced costs are known
   */
  reducedCostOf(variable: string): number {
    return this.variableElement(this.reducedCosts, variable);
  }
}

/** The answer to a MIP. Objective and bound are in the sense of the model, scaling and offset included. */
export class MipSolution extends NamedSolution {
  readonly kind = "mip";
  readonly status: MipStatus;
  /** What the server adds in words; mostly empty. */
  readonly message: string;
  readonly objective: number;
  /** Best proven bound on the objective. */
  readonly bound: number;
  /** Relative gap of objective and bound; 0.01 is 1 %. */
  readonly gap: number;
  /** A value for each variable, or empty if no feasible point is known. */
  readonly solution: Float64Array;
  readonly nodes: number;
  readonly simplexIterations: number;
  readonly solveSeconds: number;
  readonly presolveSeconds: number;
  readonly maxConstraintViolation: number;
  readonly maxIntegralityViolation: number;
  readonly maxVariableBoundViolation: number;

  constructor(result: DecodedSolution & { readonly kind: "mip" }, names: Names = {}) {
    super(names);
    const { scalars } = result;
    this.status = MIP_STATUS_WORDS[scalars.mipTerminationStatus] ?? "none";
    this.message = scalars.mipErrorMessage;
    this.objective = scalars.mipObjective;
    this.bound = scalars.solutionBound;
    this.gap = scalars.mipGap;
    this.solution = arrayOf(result, ResultFieldId.RESULT_MIP_SOLUTION);
    this.nodes = scalars.nodes;
    this.simplexIterations = scalars.simplexIterations;
    this.solveSeconds = scalars.totalSolveTime;
    this.presolveSeconds = scalars.presolveTime;
    this.maxConstraintViolation = scalars.maxConstraintViolation;
    this.maxIntegralityViolation = scalars.maxIntViolation;
    this.maxVariableBoundViolation = scalars.maxVariableBoundViolation;
  }

  protected override get point(): Float64Array {
    return this.solution;
  }
}

/** Where cuOpt's PDLP ended. Primal arrays have a value for each variable, dual ones for each row. */
export interface PdlpWarmStart {
  readonly currentPrimal: Float64Array;
  readonly currentDual: Float64Array;
  readonly initialPrimalAverage: Float64Array;
  readonly initialDualAverage: Float64Array;
  /** Aᵀy at the current dual y; a value for each variable. */
  readonly currentATY: Float64Array;
  readonly sumPrimal: Float64Array;
  readonly sumDual: Float64Array;
  readonly lastRestartGapPrimal: Float64Array;
  readonly lastRestartGapDual: Float64Array;
  readonly initialPrimalWeight: number;
  readonly initialStepSize: number;
  readonly totalPdlpIterations: number;
  readonly totalPdhgIterations: number;
  readonly lastCandidateKktScore: number;
  readonly lastRestartKktScore: number;
  readonly sumSolutionWeight: number;
  readonly iterationsSinceLastRestart: number;
}

/**
 * A result with words for numbers. The arrays are the result's own.
 * @param names of the model that was sent; without them there are no values by name
 */
export function typedSolution(result: DecodedSolution, names: Names = {}): LpSolution | MipSolution {
  return result.kind === "lp" ? new LpSolution(result, names) : new MipSolution(result, names);
}

const arrayOf = ({ arrays }: DecodedSolution, id: ResultFieldId): Float64Array => arrays.get(id) ?? new Float64Array(0);

/** There is one if its current point came; -1 stands for a scalar that did not come. */
function warmStartOf(result: DecodedSolution, scalars: PDLPWarmStartData | undefined): PdlpWarmStart | undefined {
  if (!result.arrays.get(ResultFieldId.RESULT_WS_CURRENT_PRIMAL)?.length) return undefined;
  return {
    currentPrimal: arrayOf(result, ResultFieldId.RESULT_WS_CURRENT_PRIMAL),
    currentDual: arrayOf(result, ResultFieldId.RESULT_WS_CURRENT_DUAL),
    initialPrimalAverage: arrayOf(result, ResultFieldId.RESULT_WS_INITIAL_PRIMAL_AVG),
    initialDualAverage: arrayOf(result, ResultFieldId.RESULT_WS_INITIAL_DUAL_AVG),
    currentATY: arrayOf(result, ResultFieldId.RESULT_WS_CURRENT_ATY),
    sumPrimal: arrayOf(result, ResultFieldId.RESULT_WS_SUM_PRIMAL),
    sumDual: arrayOf(result, ResultFieldId.RESULT_WS_SUM_DUAL),
    lastRestartGapPrimal: arrayOf(result, ResultFieldId.RESULT_WS_LAST_RESTART_GAP_PRIMAL),
    lastRestartGapDual: arrayOf(result, ResultFieldId.RESULT_WS_LAST_RESTART_GAP_DUAL),
    initialPrimalWeight: scalars?.initialPrimalWeight ?? -1,
    initialStepSize: scalars?.initialStepSize ?? -1,
    totalPdlpIterations: scalars?.totalPdlpIterations ?? -1,
    totalPdhgIterations: scalars?.totalPdhgIterations ?? -1,
    lastCandidateKktScore: scalars?.lastCandidateKktScore ?? -1,
    lastRestartKktScore: scalars?.lastRestartKktScore ?? -1,
    sumSolutionWeight: scalars?.sumSolutionWeight ?? -1,
    iterationsSinceLastRestart: scalars?.iterationsSinceLastRestart ?? -1,
  };
}

/** Names to positions; the table is made when the first name is asked for. */
class NameIndex {
  readonly what: "variable" | "constraint";
  readonly #names: readonly string[];
  #positions: Map<string, number> | undefined;

  constructor(what: "variable" | "constraint", names: readonly string[] = []) {
    this.what = what;
    this.#names = names;
  }

  names(): readonly string[] {
    if (this.#names.length > 0) return this.#names;
    throw new InvalidModelError(`the model has no ${this.what} names`);
  }

  of(name: string): number {
    this.#positions ??= new Map(this.names().map((each, at) => [each, at]));
    const at = this.#positions.get(name);
    if (at !== undefined) return at;
    const near = nearest(name, this.#names);
    const hint = near === undefined ? "" : `; did you mean ${near}?`;
    throw new InvalidModelError(`there is no ${this.what} ${name}${hint}`);
  }
}
