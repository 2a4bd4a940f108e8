// The server host in an AWS account, for native gRPC clients: one port, every protocol, over the same table and blobs as the
// functions. Like the function behind the URL it starts nothing: the table's stream does. Not a Lambda function: the stacks
// run it as a container behind a load balancer that ends TLS (stacks/host.ts).
import { createIdentify, WebhookCourier } from "@sortie/core";
import { Engine } from "@sortie/pipeline";
import { openAwsFront, readAwsSettings } from "@sortie/platform-aws";
import { callerFromHost, createInference, createRoutes } from "@sortie/rpc";
import { startHost } from "@sortie/server";
import { createWebhookSender } from "@sortie/webhooks";
import { cuvis } from "@sortie/wire";
import pino from "pino";
import { pipelineContext } from "../lib/pipeline-context.ts";

const MIB = 2 ** 20;
/** What is larger comes in chunks. */
const MAX_MESSAGE_BYTES = 64 * MIB;
/** What clients of CUVIS.AI are used to. */
const MAX_PIPELINE_MESSAGE_BYTES = 300 * MIB;
/** The container has 4 GiB: a cube of the largest message takes up to three times its size, and twice that as floats. */
const MAX_IN_FLIGHT_BYTES = 384 * MIB;
const KEPT_PIPELINES = 64;
/** Between SIGTERM and the end; the container's stop timeout is 30 s. */
const STOP_GRACE_MS = 25_000;
const DEFAULT_PORT = 5001;

// Written at once: the last lines before an end are the ones that are looked for.
const logger = pino({ base: null }, pino.destination({ dest: 1, sync: true }));

const settings = readAwsSettings(process.env);
const { webhookSecret: masterSecret } = settings;
await using platform = openAwsFront(settings, { onFault: (what, error) => logger.error({ err: error }, what) });
const webhooks = masterSecret === undefined ? undefined : new WebhookCourier(createWebhookSender({ masterSecret }));
const context = { ...platform, webhooks };
const identify = createIdentify(context, { required: true });
const pipelines = pipelineContext(context, { ...settings.pipelines, most: KEPT_PIPELINES });
await using engine = new Engine();
const host = await startHost({
  host: "0.0.0.0",
  port: Number(process.env["SORTIE_HOST_PORT"] ?? DEFAULT_PORT),
  routes: createRoutes(context, {
    maxMessageBytes: MAX_MESSAGE_BYTES,
    callerOf: callerFromHost,
    cuvis: {
      context: pipelines,
      infer: createInference(pipelines, engine),
      olderNodeForm: settings.pipelines.olderNodeForm,
      maxMessageBytes: MAX_PIPELINE_MESSAGE_BYTES,
    },
  }),
  identify: async ({ headers }) =>
    identify({ get: (name) => [headers[name.toLowerCase()]].flat().join(", ") || null }, {}),
  maxMessageBytes: MAX_MESSAGE_BYTES,
  serviceLimits: { [cuvis.CuvisAIService.typeName]: MAX_PIPELINE_MESSAGE_BYTES },
  maxInFlightBytes: MAX_IN_FLIGHT_BYTES,
  logger,
});
const told = new Promise<void>((resolve) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
});
logger.info({ port: host.port }, "listening");

await told;
logger.info("stopping");
await host.close(STOP_GRACE_MS);
pipelines.host.close();
