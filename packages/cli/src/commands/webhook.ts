// `sortie webhook secret`: tells the secret with which a tenant's receiver verifies what it gets from this server.
import { readSettings, tenantWebhookSecret } from "@sortie/server";
import { parseOptions } from "../options.ts";

const HELP = `usage: sortie webhook secret [--tenant TENANT]

Prints the secret of a tenant's webhooks (whsec_...), for any library of Standard Webhooks. A job names its webhook in the
header "sortie-webhook: https://..." of its submission; docs/events.md says what is sent.

  --tenant TENANT  whose jobs' webhooks; default: local, to whom everything belongs without tokens
  --data DIR       the server's data directory; found as "sortie serve" finds it (SORTIE_DATA, settings file, default)
  --config FILE    the server's settings file

Where the server has a secret of its own (SORTIE_WEBHOOK_SECRET), set it for this command as well.
`;

export const OPTIONS = { tenant: { type: "string" }, data: { type: "string" }, config: { type: "string" } } as const;

export async function webhook(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    const [action = "", ...rest] = args;
    if (action !== "secret") throw new Error(`webhook: "${action}" is not an action; there is: secret`);
    const { values, positionals } = await parseOptions("webhook", rest, OPTIONS);
    if (positionals.length > 0) throw new Error(`webhook secret takes no argument; found ${positionals.join(", ")}`);
    const { tenant = "local", data, config } = values;
    const flags = [
      ...(data === undefined ? [] : [`--data=${data}`]),
      ...(config === undefined ? [] : [`--config=${config}`]),
    ];
    process.stdout.write(`${await tenantWebhookSecret(readSettings(flags), tenant)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`sortie: ${(error as Error).message}\n`);
    return 1;
  }
}
