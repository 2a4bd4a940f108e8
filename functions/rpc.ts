// The function behind the URL.
import { functionCaller, openAwsFront } from "@sortie/platform-aws";
import { openDeployment } from "./lib/deployment.ts";
import { awsLambda, type FunctionUrlEvent } from "./lib/lambda.ts";
import { noInfer, remoteInfer } from "./lib/remote-infer.ts";
import { createRpcFunction } from "./lib/rpc-function.ts";

const { settings, context, log } = openDeployment(openAwsFront);
const { inferFunction, pipelines } = settings;
const infer = inferFunction === undefined ? noInfer : remoteInfer(functionCaller(), inferFunction);
const answer = createRpcFunction({ context, auth: settings.auth, log, infer, pipelines });
const { streamifyResponse, HttpResponseStream } = awsLambda();

export const handler = streamifyResponse<FunctionUrlEvent>((event, stream, invocation) =>
  answer(event, (head) => HttpResponseStream.from(stream, head), invocation),
);
