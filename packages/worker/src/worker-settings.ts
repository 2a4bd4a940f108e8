// What a server tells its worker processes, on their command line as one JSON text.
import type { Limits } from "@sortie/core";
import type { EngineSettings } from "@sortie/pipeline";
import type { Durability } from "@sortie/platform-local";

export interface WorkerSettings {
  readonly dataDir: string;
  readonly durability: Durability;
  readonly limits: Limits;
  /** Folders below which the data files of trainings lie. */
  readonly dataRoots?: readonly string[] | undefined;
  /** What pipelines run on. Default: the CPU. */
  readonly pipelineProvider?: EngineSettings["provider"] | undefined;
  /** Nobody takes the data directory up again: without its server a worker ends at once. Default false. */
  readonly isTemporary?: boolean | undefined;
}
