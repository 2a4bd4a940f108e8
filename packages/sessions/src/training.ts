// What a training job is asked to do, and the words by which it says whose fault a failure is.
import type { Job, WorkerContext } from "@sortie/core";
import type { Json } from "./state.ts";

/** The work of a job of kind `train`. */
export interface TrainingTask {
  readonly sessionId: string;
  readonly trainer: "statistical";
  /** The data configuration, checked. */
  readonly data: Json;
  /** The training configuration that the session keeps afterwards. */
  readonly training: Json;
}

/** Begins the failure of a job whose input was at fault: what follows is for the caller, who must change something. */
export const CALLERS_FAULT = "INVALID_ARGUMENT: ";

export const taskOf = (job: Pick<Job, "work">): TrainingTask => job.work as unknown as TrainingTask;

export type SessionPorts = Pick<WorkerContext, "table" | "blobs" | "clock" | "ids" | "limits">;
