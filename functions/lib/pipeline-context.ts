// What the pipeline service needs in a deployment: files that clients name are blobs of their tenant, pipelines are kept between
// the calls of one function instance.
import type { Context } from "@sortie/core";
import { BlobPipelineFiles, type CuvisContext } from "@sortie/rpc";
import { PipelineHost } from "@sortie/sessions";

/** A function has little memory, and few sessions come back to the same one. */
const KEPT_PIPELINES = 8;

export const pipelineContext = (context: Context): CuvisContext => ({
  ...context,
  filesOf: ({ tenant }) => new BlobPipelineFiles(context, tenant),
  host: new PipelineHost({ most: KEPT_PIPELINES, onFault: context.onFault }),
  strictPlugins: false,
});
