// The secret of a server's webhooks: what the operator set, or a key of the data directory's own.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkTenant, DomainError, webhookSecret } from "@sortie/core";
import { openKeyFile } from "@sortie/platform-local";
import type { Settings } from "./settings.ts";

const FILE = "webhook-key";

/** The secret from which each tenant's is derived. Makes the data directory's key with the first use. */
export async function masterWebhookSecret(
  settings: Pick<Settings, "webhookSecret" | "dataDirectory">,
): Promise<string> {
  if (settings.webhookSecret !== undefined) return settings.webhookSecret;
  return (await openKeyFile(join(settings.dataDirectory, FILE), "key of webhooks")).toString("hex");
}

/**
 * The secret with which a tenant's receiver verifies what it gets.
 * @throws DomainError "invalid-argument" for a tenant that is no name, or a data directory that is not there
 */
export async function tenantWebhookSecret(
  settings: Pick<Settings, "webhookSecret" | "dataDirectory">,
  tenant: string,
): Promise<string> {
  checkTenant(tenant);
  if (settings.webhookSecret === undefined && !existsSync(settings.dataDirectory)) {
    throw new DomainError("invalid-argument", `there is no data directory ${settings.dataDirectory}; see --data`);
  }
  return webhookSecret(await masterWebhookSecret(settings), tenant);
}
