// Invoked by the function behind the URL, which waits for the answer: runs one inference on a session's pipeline.
import { Engine } from "@sortie/pipeline";
import { openAwsFront } from "@sortie/platform-aws";
import { createInference } from "@sortie/rpc";
import { openDeployment } from "./lib/deployment.ts";
import { createInferFunction } from "./lib/infer-function.ts";
import { pipelineContext } from "./lib/pipeline-context.ts";

const { context, log } = openDeployment(openAwsFront);

export const handler = createInferFunction({ infer: createInference(pipelineContext(context), new Engine()), log });
