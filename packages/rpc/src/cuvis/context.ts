// What the pipeline service needs beyond what every service has.
import type { Caller, Context } from "@sortie/core";
import type { Files } from "@sortie/pipeline";
import type { PipelineHost } from "@sortie/sessions";

/** Memory objects by name, as POSIX has them. */
export interface SharedMemory {
  /**
   * A copy of a part of an object, or undefined if there is no object of this name.
   * @param name one segment without separators
   * @throws CuvisError INVALID_ARGUMENT where the part ends beyond the object
   */
  read(name: string, offset: number, bytes: number): Promise<Uint8Array | undefined>;
}

export interface CuvisContext extends Context {
  /** The files that this caller may name. */
  readonly filesOf: (caller: Caller) => Files;
  /** The configurations root among them, absolute: pipelines are discovered and saved below its `pipeline` folder. */
  readonly configs: string;
  /** Pipelines that are ready in this process. */
  readonly host: PipelineHost;
  /** Memory that clients on the same machine share; absent: such tensors are refused. */
  readonly sharedMemory?: SharedMemory | undefined;
  /** Ask for the plugins that a pipeline names to be registered, as the original does. */
  readonly strictPlugins: boolean;
}
