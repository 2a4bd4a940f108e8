// `sortie token`: makes, lists and revokes the API tokens of a data directory, while its server runs or before it does.
import { openTokenStore, readSettings, type TokenInfo, type TokenStore } from "@sortie/server";
import { parseOptions } from "../options.ts";

const HELP = `usage: sortie token create --tenant TENANT [--name NAME] [--expires DAYS]
       sortie token list [--tenant TENANT]
       sortie token revoke ID

API tokens of a server's data directory. A server notices a change within 2 seconds. As soon as one token was made, the
server refuses calls without one. A client sends the header "authorization: Bearer TOKEN".

  --tenant TENANT  whose jobs the token may see and submit; without tokens everything belongs to the tenant "local"
  --name NAME      what the token is for
  --expires DAYS   days after which it is refused; without it never
  --data DIR       the server's data directory; found as "sortie serve" finds it (SORTIE_DATA, settings file, default)
  --config FILE    the server's settings file

"create" prints the token on standard output, this once: only its digest is kept.
`;

const DAY_MS = 86_400_000;
const MOST_DAYS = 36_500;

export const OPTIONS = {
  tenant: { type: "string" },
  name: { type: "string" },
  expires: { type: "string" },
  data: { type: "string" },
  config: { type: "string" },
} as const;
type Options = { readonly [K in keyof typeof OPTIONS]?: string | undefined };

interface Action {
  /** The options that mean something, beside --data and --config. */
  readonly takes: readonly (keyof Options)[];
  readonly arguments: readonly string[];
  run(store: TokenStore, options: Options, args: readonly string[]): Promise<void>;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  create: { takes: ["tenant", "name", "expires"], arguments: [], run: create },
  list: { takes: ["tenant"], arguments: [], run: list },
  revoke: { takes: [], arguments: ["ID"], run: revoke },
};

export async function token(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    const [name = "", ...rest] = args;
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (!action) throw new Error(`token: "${name}" is not an action; there is: ${Object.keys(ACTIONS).join(", ")}`);
    const { values, positionals } = await parseOptions("token", rest, OPTIONS);
    for (const option of Object.keys(values) as (keyof Options)[]) {
      if (action.takes.includes(option) || option === "data" || option === "config") continue;
      throw new Error(`token ${name}: --${option} means nothing here`);
    }
    if (positionals.length !== action.arguments.length) {
      const wanted = action.arguments.join(" ") || "no argument";
      throw new Error(`token ${name} takes ${wanted}; found ${positionals.length || "none"}`);
    }
    await using store = await openTokenStore(dataDirectoryOf(values), name === "create");
    await action.run(store, values, positionals);
    return 0;
  } catch (error) {
    process.stderr.write(`sortie: ${(error as Error).message}\n`);
    return 1;
  }
}

function dataDirectoryOf({ data, config }: Options): string {
  const flags = [
    ...(data === undefined ? [] : [`--data=${data}`]),
    ...(config === undefined ? [] : [`--config=${config}`]),
  ];
  return readSettings(flags).dataDirectory;
}

async function create(store: TokenStore, { tenant, name, expires }: Options): Promise<void> {
  if (tenant === undefined) throw new Error("token create needs --tenant TENANT");
  const expiresAt = expires === undefined ? undefined : Date.now() + daysOf(expires) * DAY_MS;
  const { token, info } = await store.create({ tenant, name, expiresAt });
  process.stderr.write(
    `Token ${info.id} of tenant ${info.tenant}${expiresAt === undefined ? "" : `, until ${timeText(expiresAt)}`}. ` +
      "Keep it: it is not shown again.\n",
  );
  process.stdout.write(`${token}\n`);
}

function daysOf(text: string): number {
  const days = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (days > 0 && days <= MOST_DAYS) return days;
  throw new Error(`--expires is ${JSON.stringify(text)}; allowed is a number of days above 0 and at most ${MOST_DAYS}`);
}

async function list(store: TokenStore, { tenant }: Options): Promise<void> {
  const rows = (await store.list(tenant)).map((info) => [
    info.id,
    info.tenant,
    stateOf(info),
    timeText(info.createdAt),
    info.lastUsedAt === undefined ? "never" : timeText(info.lastUsedAt),
    info.expiresAt === undefined ? "never" : timeText(info.expiresAt),
    info.name,
  ]);
  const table = [["ID", "TENANT", "STATE", "CREATED", "LAST USED", "EXPIRES", "NAME"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  for (const row of table) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()}\n`,
    );
  }
}

function stateOf({ revokedAt, expiresAt }: TokenInfo): string {
  if (revokedAt !== undefined) return "revoked";
  return expiresAt !== undefined && expiresAt <= Date.now() ? "expired" : "valid";
}

/** Cut to whole minutes: that is how exactly the time of last use is known. */
const timeText = (ms: number): string => new Date(ms).toISOString().slice(0, 16).concat("Z");

async function revoke(store: TokenStore, _options: Options, [id = ""]: readonly string[]): Promise<void> {
  const info = await store.revoke(id);
  process.stderr.write(`Token ${info.id} of tenant ${info.tenant} is revoked; servers refuse it within 2 seconds.\n`);
}
