// What the pipeline service needs in a deployment: files that clients name are blobs of their tenant, pipelines are kept between
// the calls of one function instance.
import type { Context } from "@sortie/core";
import type { CuvisContext } from "@sortie/rpc";
import { BLOB_CONFIGS, blobFiles, PipelineHost } from "@sortie/sessions";

/** A function has little memory, and few sessions come back to the same one. */
const KEPT_PIPELINES = 8;

export interface PipelineSettings {
  /** Ask for the plugins that a pipeline names to be registered. */
  readonly strictPlugins: boolean;
  /** Describe node classes as clients of release 0.3 read them. */
  readonly olderNodeForm: boolean;
}

export function pipelineContext(
  context: Context,
  { strictPlugins = false, most = KEPT_PIPELINES }: Partial<PipelineSettings> & { readonly most?: number } = {},
): CuvisContext {
  const filesOf: CuvisContext["filesOf"] = (caller) => blobFiles(context.blobs, caller);
  return {
    ...context,
    filesOf,
    configs: BLOB_CONFIGS,
    host: new PipelineHost({ most, filesOf, onFault: context.onFault }),
    strictPlugins,
  };
}
