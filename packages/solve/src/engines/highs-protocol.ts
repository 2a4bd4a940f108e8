// What the caller and the solver's thread say to each other.
import type { Incumbent, Solution, SolveProgress } from "../engine.ts";
import type { Problem, ProblemKind } from "../problem.ts";
import type { SolveSettings } from "../settings.ts";
import type { CompiledModule } from "./web-assembly.ts";

/** Given to the thread at its start. */
export interface ThreadData {
  /** The compiled solver; threads share it. */
  readonly module: CompiledModule;
}

/** The word in shared memory that the thread's callbacks look at. */
export const Stop = { no: 0, cancelled: 1, timeOver: 2 } as const;

/** Caller to thread: solve this. */
export interface SolveOrder {
  readonly problem: Problem;
  readonly kind: ProblemKind;
  readonly settings: SolveSettings;
  /** One Int32: a value of `Stop`. */
  readonly stop: SharedArrayBuffer;
}

/** Violations of an incumbent, so that the caller can make a result of it without the model. */
export interface Violations {
  readonly maxRowViolation: number;
  readonly maxBoundViolation: number;
  readonly maxIntegralityViolation: number;
}

/** Thread to caller. `memoryBytes` is the capacity of the solver's memory, which never shrinks. */
export type ThreadMessage =
  | { readonly type: "ready" }
  | { readonly type: "log"; readonly line: string }
  | { readonly type: "incumbent"; readonly incumbent: Incumbent; readonly violations: Violations }
  | { readonly type: "progress"; readonly progress: SolveProgress }
  | { readonly type: "solved"; readonly solution: Solution; readonly memoryBytes: number }
  /** Stopped because it was told to. */
  | { readonly type: "cancelled"; readonly memoryBytes: number }
  /** The model cannot be taken; the thread is fine. */
  | {
      readonly type: "invalid";
      readonly text: string;
      readonly variable?: number | undefined;
      readonly memoryBytes: number;
    }
  /** The solver found no answer for reasons of its own; the thread is fine. */
  | { readonly type: "failed"; readonly text: string; readonly memoryBytes: number }
  /** The solver is beyond repair, and so is the thread. */
  | { readonly type: "broken"; readonly text: string; readonly memoryBytes: number };
