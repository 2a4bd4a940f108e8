// Identities: who makes a call, and so which tenant it is for. API tokens are kept as digests only; what else a platform has
// verified (a client certificate, a signed call) comes in as a name. As long as nobody asks for identities, every call is
// for one local tenant.
import { createHash, randomBytes } from "node:crypto";
import type { Caller, Context } from "./context.ts";
import { DomainError } from "./errors.ts";
import { IDENTITIES_KEY, jobKey, tokenKey, tokenListPartitions, tokenListPosition } from "./keys.ts";
import type { CallOptions, Row } from "./ports.ts";

type Ports = Pick<Context, "table" | "clock">;

/** The tenant of every call while identities are not asked for. */
export const LOCAL_CALLER: Caller = { tenant: "local" };

const TOKEN_PREFIX = "sortie_";
const TOKEN_BYTES = 32;
const TOKEN_FORM = /^sortie_[A-Za-z0-9_-]{43}$/;
/** Digits of the digest that name a token to its operator. */
const ID_DIGITS = 16;
export const TENANT_FORM = /^[A-Za-z0-9][A-Za-z0-9._@:/+=-]{0,127}$/;
const TENANT_ALLOWED = "1 to 128 letters, digits and ._@:/+=-, the first a letter or digit";
const LONGEST_NAME = 200;

/** What a lookup found holds this long: a revoked token is refused after at most this time. */
export const IDENTITY_CACHE_MS = 2_000;
const CACHED_TOKENS = 10_000;
/** The time of last use is written at most this often. */
export const LAST_USED_MS = 60_000;

/** A token as its operator sees it; times in ms since 1970. The token itself is nowhere. */
export interface TokenInfo {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly createdAt: number;
  readonly lastUsedAt?: number | undefined;
  readonly expiresAt?: number | undefined;
  readonly revokedAt?: number | undefined;
}

export interface NewToken {
  readonly tenant: string;
  /** For people: what the token is for. */
  readonly name?: string | undefined;
  readonly expiresAt?: number | undefined;
}

/** @throws DomainError "invalid-argument" */
export function checkTenant(tenant: string): void {
  if (TENANT_FORM.test(tenant)) return;
  throw new DomainError(
    "invalid-argument",
    `tenant ${JSON.stringify(tenant)} is not a name; allowed are ${TENANT_ALLOWED}`,
  );
}

const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** An absent attribute stays absent. */
const time = (row: Row, name: string): number | undefined => {
  const value = row.attributes[name];
  return typeof value === "number" ? value : undefined;
};

function infoFromRow(row: Row): TokenInfo {
  return {
    id: row.pk.slice("token#".length, "token#".length + ID_DIGITS),
    tenant: String(row.attributes["tenant"]),
    name: String(row.attributes["name"] ?? ""),
    createdAt: time(row, "createdAt") ?? 0,
    lastUsedAt: time(row, "lastUsedAt"),
    expiresAt: time(row, "expiresAt"),
    revokedAt: time(row, "revokedAt"),
  };
}

/**
 * Makes a token and, with the first one, asks for identities from then on.
 * @returns the token, which nobody can be told again
 * @throws DomainError "invalid-argument" for a tenant, name or expiry that cannot be used
 */
export async function createToken(
  ports: Ports,
  { tenant, name = "", expiresAt }: NewToken,
): Promise<{ readonly token: string; readonly info: TokenInfo }> {
  checkTenant(tenant);
  if (name.length > LONGEST_NAME) {
    throw new DomainError("invalid-argument", `the name has ${name.length} characters; at most ${LONGEST_NAME}`);
  }
  if (/\p{Cc}/u.test(name)) {
    throw new DomainError("invalid-argument", "the name has control characters in it; allowed is one line of text");
  }
  const now = ports.clock.now();
  if (expiresAt !== undefined && !(expiresAt > now)) {
    throw new DomainError("invalid-argument", "the token would have expired already; its expiry must lie ahead");
  }
  const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString("base64url");
  const digest = digestOf(token);
  // First: a crash in between leaves the door closed.
  await ports.table.write(IDENTITIES_KEY, { set: { required: true } }, []);
  const written = await ports.table.write(
    tokenKey(digest),
    {
      set: { tenant, name, createdAt: now, ...(expiresAt === undefined ? {} : { expiresAt }) },
      index: { list: tokenListPosition(digest, tenant, now) },
    },
    [{ kind: "row-absent" }],
  );
  return { token, info: infoFromRow(written.row as Row) };
}

/** All tokens, or those of one tenant; by tenant, oldest first. */
export async function listTokens(ports: Ports, tenant?: string): Promise<TokenInfo[]> {
  const rows = await tokenRows(ports, tenant);
  const sortKey = ({ tenant, createdAt, id }: TokenInfo) => [tenant, String(createdAt).padStart(14, "0"), id].join("#");
  return rows.map(infoFromRow).sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

async function tokenRows(ports: Ports, tenant?: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const pk of tokenListPartitions()) {
    let cursor: string | undefined;
    do {
      const prefix = tenant === undefined ? undefined : `${tenant}#`;
      const page = await ports.table.queryIndex("list", pk, { prefix, limit: 100, cursor });
      // The index may project less than the row.
      const whole = await Promise.all(page.rows.map((found) => ports.table.get({ pk: found.pk, sk: found.sk })));
      rows.push(...whole.filter((row) => row !== undefined));
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
  return rows;
}

/**
 * Revokes a token for good. A second time is harmless.
 * @throws DomainError "invalid-argument" if no token has this id
 */
export async function revokeToken(ports: Ports, id: string): Promise<TokenInfo> {
  const found = (await tokenRows(ports)).find((row) => infoFromRow(row).id === id);
  if (!found) throw new DomainError("invalid-argument", `no token has the id ${JSON.stringify(id)}`);
  const written = await ports.table.write({ pk: found.pk, sk: found.sk }, { set: { revokedAt: ports.clock.now() } }, [
    { kind: "row-exists" },
    { kind: "absent", name: "revokedAt" },
  ]);
  return infoFromRow(written.row ?? found);
}

/** Whose job this is; for the server's own use, never for a client's. Undefined if there is no such job. */
export async function ownerOf(
  context: Pick<Context, "table">,
  jobId: string,
  options?: CallOptions,
): Promise<Caller | undefined> {
  const tenant = (await context.table.get(jobKey(jobId), options))?.attributes["tenant"];
  return typeof tenant === "string" ? { tenant } : undefined;
}

/** The headers of a call; names in any case. */
export interface CallHeaders {
  get(name: string): string | null | undefined;
}

/** What the platform knows of the other side by itself. */
export interface Peer {
  /** Who it has proved to be: the subject of a verified client certificate, the principal of a signed call. */
  readonly verifiedName?: string | undefined;
}

/**
 * For whom a call is made.
 * @throws DomainError "unauthenticated" with what to do about it
 */
export type Identify = (headers: CallHeaders, peer: Peer) => Promise<Caller>;

export interface IdentityOptions {
  /** Refuse calls without an identity even while no token exists. Default false. */
  readonly required?: boolean | undefined;
}

const BEARER = /^Bearer +(\S+) *$/i;
const refused = (text: string): DomainError => new DomainError("unauthenticated", text);
const HOW = 'send the header "authorization: Bearer TOKEN" with a token of this server';
const ASK = "its operator makes one with: sortie token create --tenant NAME";

interface Known {
  readonly info: TokenInfo;
  readonly checkedAt: number;
}

/**
 * Finds out who calls. A token decides where there is one; then what the platform has verified; then, while identities are
 * not asked for, the local tenant. Lookups hold for IDENTITY_CACHE_MS.
 */
export function createIdentify(
  ports: Pick<Context, "table" | "clock" | "onFault">,
  options: IdentityOptions = {},
): Identify {
  const { table, clock } = ports;
  const cache = new Map<string, Known>();
  let required = options.required ?? false;
  let requiredCheckedAt = Number.NEGATIVE_INFINITY;

  const isFresh = (checkedAt: number) => {
    const age = clock.now() - checkedAt;
    return age >= 0 && age < IDENTITY_CACHE_MS;
  };

  /** Once asked for, identities are asked for as long as the table lives: revoking every token opens nothing. */
  async function areRequired(): Promise<boolean> {
    if (required || isFresh(requiredCheckedAt)) return required;
    const row = await table.get(IDENTITIES_KEY);
    requiredCheckedAt = clock.now();
    required ||= row?.attributes["required"] === true;
    return required;
  }

  async function lookUp(token: string): Promise<TokenInfo | undefined> {
    if (!TOKEN_FORM.test(token)) return undefined;
    const digest = digestOf(token);
    const known = cache.get(digest);
    if (known && isFresh(known.checkedAt)) return known.info;
    cache.delete(digest);
    const row = await table.get(tokenKey(digest));
    // Unknown tokens are not remembered: whoever guesses must not fill the memory.
    if (!row) return undefined;
    const info = infoFromRow(row);
    while (cache.size >= CACHED_TOKENS) cache.delete(cache.keys().next().value as string);
    cache.set(digest, { info, checkedAt: clock.now() });
    if (info.revokedAt === undefined) await noteUse(row);
    return info;
  }

  async function noteUse(row: Row): Promise<void> {
    const now = clock.now();
    const last = time(row, "lastUsedAt");
    if (last !== undefined && now - last < LAST_USED_MS) return;
    try {
      await table.write({ pk: row.pk, sk: row.sk }, { set: { lastUsedAt: now } }, [{ kind: "row-exists" }]);
    } catch (error) {
      ports.onFault("noting the use of a token", error);
    }
  }

  return async (headers, { verifiedName }) => {
    const token = BEARER.exec(headers.get("authorization") ?? "")?.[1];
    const info = token === undefined ? undefined : await lookUp(token);
    if (info) {
      if (info.revokedAt !== undefined) throw refused(`this token was revoked; use another: ${ASK}`);
      if (info.expiresAt !== undefined && info.expiresAt <= clock.now()) {
        throw refused(`this token expired at ${new Date(info.expiresAt).toISOString()}; use another: ${ASK}`);
      }
      return { tenant: info.tenant };
    }
    const mustKnow = await areRequired();
    if (token !== undefined && mustKnow) throw refused(`this token is not known here; ${HOW}; ${ASK}`);
    if (verifiedName !== undefined) {
      if (TENANT_FORM.test(verifiedName)) return { tenant: verifiedName };
      throw refused(`the name ${JSON.stringify(verifiedName)} cannot be a tenant; allowed are ${TENANT_ALLOWED}`);
    }
    if (mustKnow) throw refused(`this call does not say who makes it; ${HOW}; ${ASK}`);
    return LOCAL_CALLER;
  };
}
