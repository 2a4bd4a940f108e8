// What every function does first: reads its settings, opens the deployment, and says what goes wrong.
import { WebhookCourier } from "@sortie/core";
import { type AwsPlatform, type AwsSettings, type OpenAwsServerOptions, readAwsSettings } from "@sortie/platform-aws";
import { createWebhookSender } from "@sortie/webhooks";
import { createLog, type Log } from "./log.ts";

export interface Deployment {
  readonly settings: AwsSettings;
  readonly context: AwsPlatform;
  readonly log: Log;
}

type Open = (settings: AwsSettings, options: OpenAwsServerOptions) => AwsPlatform;

/**
 * @param open `openAws`, or `openAwsFront` for a function that only takes requests and leaves workers and events to others;
 *   given by each function, so that its bundle holds no client that it has no use for
 * @throws AwsSettingsError with everything that is wrong with the environment
 */
export function openDeployment(open: Open): Deployment {
  const log = createLog();
  const settings = readAwsSettings(process.env);
  const onFault = (what: string, error: unknown) => log.error({ err: error }, what);
  const { webhookSecret: masterSecret } = settings;
  const webhooks = masterSecret === undefined ? undefined : new WebhookCourier(createWebhookSender({ masterSecret }));
  return { settings, context: { ...open(settings, { onFault }), webhooks }, log };
}
