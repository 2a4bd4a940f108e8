// What the pipeline service needs beyond what every service has.
import type { Caller, Context } from "@sortie/core";
import type { PipelineHost } from "@sortie/sessions";
import type { PipelineFiles } from "./files.ts";

export interface CuvisContext extends Context {
  /** The files that this caller may name. */
  readonly filesOf: (caller: Caller) => PipelineFiles;
  /** Pipelines that are ready in this process. */
  readonly host: PipelineHost;
  /** Ask for the plugins that a pipeline names to be registered, as the original does. */
  readonly strictPlugins: boolean;
}
