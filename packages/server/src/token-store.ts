// The tokens of a data directory, for the program that makes and revokes them while a server may be running.
import { existsSync } from "node:fs";
import {
  createToken,
  DomainError,
  listTokens,
  type NewToken,
  revokeToken,
  systemClock,
  type TokenInfo,
} from "@sortie/core";
import { openLocalPlatform } from "@sortie/platform-local";

export type { NewToken, TokenInfo };

export interface TokenStore extends AsyncDisposable {
  /** @returns the token, which nobody can be told again. @throws DomainError "invalid-argument" */
  create(token: NewToken): Promise<{ readonly token: string; readonly info: TokenInfo }>;
  /** By tenant, oldest first. */
  list(tenant?: string): Promise<TokenInfo[]>;
  /** @throws DomainError "invalid-argument" if no token has this id */
  revoke(id: string): Promise<TokenInfo>;
}

/**
 * Opens the tokens of a data directory.
 * @param mayCreate whether a directory that does not exist is made
 * @throws DomainError that names the directory, if it cannot be used
 */
export async function openTokenStore(dataDirectory: string, mayCreate: boolean): Promise<TokenStore> {
  if (!mayCreate && !existsSync(dataDirectory)) {
    throw new DomainError("invalid-argument", `there is no data directory ${dataDirectory}; see --data`);
  }
  // A token is not to be lost with the power.
  const platform = await openLocalPlatform({ dataDir: dataDirectory, durability: "power" });
  const ports = { table: platform.table, clock: systemClock };
  return {
    create: (token) => createToken(ports, token),
    list: (tenant) => listTokens(ports, tenant),
    revoke: (id) => revokeToken(ports, id),
    [Symbol.asyncDispose]: () => platform.close(),
  };
}
