// What a solve job is told, as plain JSON-able data: everything about the problem that is not an array.
import type { ProblemKind } from "./problem.ts";
import type { SettingsJson } from "./settings.ts";

/** The task of a solve job. Kept in the job's row from submission to the end; written by one version, read by another. */
export interface SolveTask {
  readonly kind: ProblemKind;
  readonly maximize: boolean;
  readonly objectiveScaling: number;
  readonly objectiveOffset: number;
  readonly problemName: string;
  readonly objectiveName: string;
  readonly settings: SettingsJson;
  /** Whether incumbents are published. */
  readonly trackIncumbents: boolean;
  readonly rows: number;
  readonly columns: number;
  readonly nonzeros: number;
  /** What the client sent that is read and then has no effect, in words, for the job's log. */
  readonly notes: readonly string[];
}
