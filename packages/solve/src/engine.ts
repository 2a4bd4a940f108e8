// What an engine promises: solve one problem, report as it goes, stop when told.
import type { Problem, ProblemKind } from "./problem.ts";
import type { SolveSettings } from "./settings.ts";

export type LpTermination =
  | "none"
  | "numerical-error"
  | "optimal"
  | "primal-infeasible"
  | "dual-infeasible"
  | "iteration-limit"
  | "time-limit"
  | "concurrent-limit"
  | "primal-feasible";

export type MipTermination =
  | "none"
  | "optimal"
  | "feasible-found"
  | "infeasible"
  | "unbounded"
  | "time-limit"
  | "work-limit";

/** Outcome of an LP or QP. Objectives are in the user's sense, scaling and offset included; arrays in the user's space. */
export interface LpSolution {
  readonly kind: "lp";
  readonly termination: LpTermination;
  /** Empty unless something is to be said, e.g. why no answer was found. */
  readonly message: string;
  /** n values, or empty. */
  readonly primal: Float64Array;
  /** m values, or empty. */
  readonly dual: Float64Array;
  /** n values, or empty. */
  readonly reducedCost: Float64Array;
  readonly primalObjective: number;
  readonly dualObjective: number;
  /** |primal objective − dual objective|. */
  readonly gap: number;
  /** ‖violation of row and variable bounds‖₂, computed from `primal`. */
  readonly l2PrimalResidual: number;
  /** ‖c + (Q + Qᵀ)x − Aᵀy − z‖₂, computed by us. */
  readonly l2DualResidual: number;
  readonly iterations: number;
  readonly solveSeconds: number;
  /** Which method answered. */
  readonly solvedBy: "concurrent" | "pdlp" | "dual-simplex" | "barrier" | "unset";
}

/** Outcome of a MIP. */
export interface MipSolution {
  readonly kind: "mip";
  readonly termination: MipTermination;
  readonly message: string;
  /** n values, or empty when no feasible solution is known. */
  readonly solution: Float64Array;
  readonly objective: number;
  /** Best proven bound, in the user's sense. */
  readonly bound: number;
  /** Relative gap |objective − bound| / |objective| (0 when both are equal; Infinity without a solution). */
  readonly gap: number;
  readonly solveSeconds: number;
  readonly presolveSeconds: number;
  readonly maxConstraintViolation: number;
  readonly maxIntegralityViolation: number;
  readonly maxVariableBoundViolation: number;
  readonly nodes: number;
  readonly simplexIterations: number;
}

export type Solution = LpSolution | MipSolution;

export interface Incumbent {
  /** In the user's sense, scaling and offset included. */
  readonly objective: number;
  /** n values in the user's space. */
  readonly assignment: Float64Array;
  /** Best bound known then, in the user's sense; NaN if none. */
  readonly bound: number;
  /** Seconds since the solve began. */
  readonly seconds: number;
}

/** Where a running solve stands; every field in the user's sense. */
export interface SolveProgress {
  readonly seconds: number;
  readonly objective?: number | undefined;
  readonly bound?: number | undefined;
  readonly gap?: number | undefined;
  readonly nodes?: number | undefined;
  readonly iterations?: number | undefined;
}

/** What the caller of a solve is told while it runs. Called on the caller's event loop; must not throw. */
export interface SolveHooks {
  /** One line of text without its newline. */
  onLog?(line: string): void;
  /** Only called for a MIP. */
  onIncumbent?(incumbent: Incumbent): void;
  onProgress?(progress: SolveProgress): void;
}

export interface SolveOptions {
  readonly kind: ProblemKind;
  readonly settings: SolveSettings;
  readonly hooks?: SolveHooks | undefined;
  /**
   * Aborting stops the solve within 100 ms in any phase: first through the solver's own callback, then by ending its
   * thread. Incumbents found so far have been reported by then. The promise rejects with the signal's reason.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface Engine extends AsyncDisposable {
  readonly name: string;
  /** Gets ready (compiles, instantiates, starts its thread) so that the first solve is as quick as the next. */
  warm(): Promise<void>;
  /**
   * @throws ValidationError for a model that the engine cannot take (the message says why and what to do);
   *   EngineError when the engine broke (out of memory, an internal fault). Infeasible and unbounded are outcomes,
   *   not errors. The problem's arrays may be transferred away: the caller must not use them afterwards.
   */
  solve(problem: Problem, options: SolveOptions): Promise<Solution>;
}

/** The engine broke; `reason` is fit for a user. */
export class EngineError extends Error {
  override readonly name = "EngineError";
}
