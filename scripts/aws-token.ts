// The API tokens of a stage in an AWS account: makes, lists and revokes them in its table, with the credentials and the region
// of whoever runs it. `sortie token` does the same for a data directory.
//
//   npm run token:aws -- create --table TABLE --tenant TENANT [--name NAME] [--expires DAYS]
//   npm run token:aws -- list --table TABLE [--tenant TENANT]
//   npm run token:aws -- revoke --table TABLE ID
//
// "create" prints the token on standard output, this once: the table holds its digest only.
import { parseArgs } from "node:util";
import { createToken, listTokens, revokeToken, systemClock, type TokenInfo } from "@sortie/core";
import { DynamoTable } from "@sortie/platform-aws";

const USAGE = `usage: token:aws create --table TABLE --tenant TENANT [--name NAME] [--expires DAYS]
       token:aws list --table TABLE [--tenant TENANT]
       token:aws revoke --table TABLE ID
`;
const DAY_MS = 86_400_000;
const MOST_DAYS = 36_500;

function daysOf(text: string): number {
  const days = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (days > 0 && days <= MOST_DAYS) return days;
  throw new Error(`--expires is ${JSON.stringify(text)}; allowed is a number of days above 0 and at most ${MOST_DAYS}`);
}

const when = (ms: number | undefined): string => (ms === undefined ? "never" : new Date(ms).toISOString());

function lineOf({ id, tenant, name, createdAt, lastUsedAt, expiresAt, revokedAt }: TokenInfo): string {
  const state = revokedAt === undefined ? `expires ${when(expiresAt)}` : `revoked ${when(revokedAt)}`;
  return `${id}  ${tenant}  created ${when(createdAt)}  used ${when(lastUsedAt)}  ${state}  ${name}`.trimEnd();
}

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      table: { type: "string" },
      tenant: { type: "string" },
      name: { type: "string" },
      expires: { type: "string" },
    },
  });
  const [action, ...rest] = positionals;
  if (values.table === undefined) throw new Error(`--table is missing: the name that the deployment printed\n${USAGE}`);
  await using table = new DynamoTable({ table: values.table });
  const ports = { table, clock: systemClock };
  if (action === "create" && rest.length === 0) {
    if (values.tenant === undefined) throw new Error("create needs --tenant TENANT");
    const expiresAt = values.expires === undefined ? undefined : Date.now() + daysOf(values.expires) * DAY_MS;
    const { token, info } = await createToken(ports, { tenant: values.tenant, name: values.name, expiresAt });
    process.stderr.write(`Token ${info.id} of tenant ${info.tenant}. Keep it: it is not shown again.\n`);
    process.stdout.write(`${token}\n`);
  } else if (action === "list" && rest.length === 0) {
    for (const info of await listTokens(ports, values.tenant)) process.stdout.write(`${lineOf(info)}\n`);
  } else if (action === "revoke" && rest.length === 1) {
    const info = await revokeToken(ports, rest[0]!);
    process.stderr.write(`Token ${info.id} of tenant ${info.tenant} is revoked; it is refused within 2 seconds.\n`);
  } else throw new Error(`${action ?? "no action"} is not understood\n${USAGE}`);
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`token:aws: ${(error as Error).message}\n`);
  process.exitCode = 1;
});
