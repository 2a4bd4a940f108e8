// Woken by objects that are created under inbox/, and by the bus when a job that came from there has ended.
import { openAwsFront, S3Files } from "@sortie/platform-aws";
import { openDeployment } from "./lib/deployment.ts";
import { createInboxFunction } from "./lib/inbox-function.ts";

const { settings, context, log } = openDeployment(openAwsFront);

export const handler = createInboxFunction({
  context,
  files: new S3Files({ bucket: settings.bucket }),
  memoryBytes: Number(process.env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] ?? 2048) * 2 ** 20,
  log,
});
