// The function behind the URL with a smaller limit on messages than a deployment has, which no setting can give it.
import { openAwsFront } from "@sortie/platform-aws";
import { openDeployment } from "../../functions/lib/deployment.ts";
import { awsLambda, type FunctionUrlEvent } from "../../functions/lib/lambda.ts";
import { createRpcFunction } from "../../functions/lib/rpc-function.ts";

const { settings, context, log } = openDeployment(openAwsFront);
const maxMessageBytes = Number(process.env["TEST_MESSAGE_BYTES"]);
const answer = createRpcFunction({ context, auth: settings.auth, log, maxMessageBytes });
const { streamifyResponse, HttpResponseStream } = awsLambda();

export const handler = streamifyResponse<FunctionUrlEvent>((event, stream, invocation) =>
  answer(event, (head) => HttpResponseStream.from(stream, head), invocation),
);
