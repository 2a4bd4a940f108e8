// What every reader of a model file gives.
import type { Problem } from "../problem.ts";

export interface ModelResult {
  readonly problem: Problem;
  /** Whether any variable is integer or semi-continuous. */
  readonly isMip: boolean;
  /** What was found odd and how it was read. */
  readonly warnings: string[];
}
