// The server host in an AWS account, for native gRPC clients: one port, every protocol, over the same table and blobs as the
// functions. Like the function behind the URL it starts nothing: the table's stream does. Not a Lambda function: the stacks
// run it as a container behind a load balancer that ends TLS (stacks/host.ts).
import { createIdentify, WebhookCourier } from "@sortie/core";
import { openAwsFront, readAwsSettings } from "@sortie/platform-aws";
import { callerFromHost, createRoutes } from "@sortie/rpc";
import { startHost } from "@sortie/server";
import { createWebhookSender } from "@sortie/webhooks";
import pino from "pino";

const MIB = 2 ** 20;
/** The container has 1 GiB. What is larger comes in chunks. */
const MAX_MESSAGE_BYTES = 64 * MIB;
const MAX_IN_FLIGHT_BYTES = 256 * MIB;
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
const host = await startHost({
  host: "0.0.0.0",
  port: Number(process.env["SORTIE_HOST_PORT"] ?? DEFAULT_PORT),
  routes: createRoutes(context, { maxMessageBytes: MAX_MESSAGE_BYTES, callerOf: callerFromHost }),
  identify: async ({ headers }) =>
    identify({ get: (name) => [headers[name.toLowerCase()]].flat().join(", ") || null }, {}),
  maxMessageBytes: MAX_MESSAGE_BYTES,
  maxInFlightBytes: MAX_IN_FLIGHT_BYTES,
  logger,
});
logger.info({ port: host.port }, "listening");

await new Promise<void>((resolve) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
});
logger.info("stopping");
await host.close(STOP_GRACE_MS);
