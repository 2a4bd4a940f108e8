// Tokens and who calls.
import { describe, expect, it } from "vitest";
import type { DomainError } from "./errors.ts";
import {
  createIdentify,
  createToken,
  IDENTITY_CACHE_MS,
  LAST_USED_MS,
  listTokens,
  type Peer,
  revokeToken,
} from "./identities.ts";
import { openWorld } from "./testing/world.ts";

const withToken = (token: string) => new Headers({ authorization: `Bearer ${token}` });
const nobody = new Headers();
const stranger: Peer = {};
const refusal = (text: RegExp) =>
  expect.objectContaining({ reason: "unauthenticated", message: expect.stringMatching(text) });
const invalid = (text: RegExp): Partial<DomainError> =>
  expect.objectContaining({ reason: "invalid-argument", message: expect.stringMatching(text) });

describe("identities", () => {
  it("while no token exists every call is for the local tenant", async () => {
    const identify = createIdentify(openWorld());
    expect(await identify(nobody, stranger)).toEqual({ tenant: "local" });
    expect(await identify(withToken("of another system"), stranger)).toEqual({ tenant: "local" });
  });

  it("a token is its tenant", async () => {
    const world = openWorld();
    const identify = createIdentify(world);
    await identify(nobody, stranger);
    const { token } = await createToken(world, { tenant: "alice" });
    expect(token).toMatch(/^sortie_[A-Za-z0-9_-]{43}$/);
    expect(await identify(withToken(token), stranger)).toEqual({ tenant: "alice" });
    expect(await identify(new Headers({ authorization: `bearer  ${token} ` }), stranger)).toEqual({ tenant: "alice" });
  });

  it("once a token exists, calls without a valid one are refused, and revoking it opens nothing", async () => {
    const world = openWorld();
    const identify = createIdentify(world);
    const { info } = await createToken(world, { tenant: "alice" });
    await expect(identify(nobody, stranger)).rejects.toEqual(refusal(/does not say who.*authorization.*token create/));
    await expect(identify(withToken("guess"), stranger)).rejects.toEqual(refusal(/not known here/));
    await expect(identify(new Headers({ authorization: "Basic YTpi" }), stranger)).rejects.toEqual(refusal(/who/));
    await revokeToken(world, info.id);
    await expect(createIdentify(world)(nobody, stranger)).rejects.toEqual(refusal(/who/));
  });

  it("a running server asks for tokens within the time of its cache after the first was made", async () => {
    const world = openWorld();
    const identify = createIdentify(world);
    await identify(nobody, stranger);
    await createToken(world, { tenant: "alice" });
    await world.clock.advance(IDENTITY_CACHE_MS);
    await expect(identify(nobody, stranger)).rejects.toEqual(refusal(/who/));
  });

  it("identities can be asked for before any token exists", async () => {
    const identify = createIdentify(openWorld(), { required: true });
    await expect(identify(nobody, stranger)).rejects.toEqual(refusal(/token create/));
  });

  it("a revoked token is refused within the time of the cache", async () => {
    const world = openWorld();
    const identify = createIdentify(world);
    const { token, info } = await createToken(world, { tenant: "alice" });
    await identify(withToken(token), stranger);
    const first = await revokeToken(world, info.id);
    await world.clock.advance(IDENTITY_CACHE_MS);
    await expect(identify(withToken(token), stranger)).rejects.toEqual(refusal(/was revoked/));
    expect(await revokeToken(world, info.id)).toEqual(first);
  });

  it("a token is refused from its expiry on, cached or not", async () => {
    const world = openWorld();
    const identify = createIdentify(world);
    const expiresAt = world.clock.now() + IDENTITY_CACHE_MS / 2;
    const { token } = await createToken(world, { tenant: "alice", expiresAt });
    await identify(withToken(token), stranger);
    await world.clock.advance(IDENTITY_CACHE_MS / 2);
    await expect(identify(withToken(token), stranger)).rejects.toEqual(refusal(/expired at 2026-01-01T00:00:01/));
  });

  it("the time of last use is written at most once a minute", async () => {
    const world = openWorld();
    const identify = createIdentify(world);
    const { token } = await createToken(world, { tenant: "alice" });
    const lastUsed = async () => (await listTokens(world))[0]?.lastUsedAt;
    expect(await lastUsed()).toBeUndefined();
    const start = world.clock.now();
    await identify(withToken(token), stranger);
    expect(await lastUsed()).toBe(start);
    await world.clock.advance(LAST_USED_MS - 1);
    await identify(withToken(token), stranger);
    expect(await lastUsed()).toBe(start);
    await world.clock.advance(IDENTITY_CACHE_MS);
    await identify(withToken(token), stranger);
    expect(await lastUsed()).toBe(world.clock.now());
  });

  it("a verified name is a tenant; a token goes before it, and an unknown token is refused all the same", async () => {
    const world = openWorld();
    const identify = createIdentify(world, { required: true });
    expect(await identify(nobody, { verifiedName: "carol" })).toEqual({ tenant: "carol" });
    const { token } = await createToken(world, { tenant: "alice" });
    expect(await identify(withToken(token), { verifiedName: "carol" })).toEqual({ tenant: "alice" });
    await expect(identify(withToken("guess"), { verifiedName: "carol" })).rejects.toEqual(refusal(/not known/));
    await expect(identify(nobody, { verifiedName: "a#b" })).rejects.toEqual(refusal(/cannot be a tenant/));
  });

  it("nothing in the table gives a token away", async () => {
    const world = openWorld();
    const { token, info } = await createToken(world, { tenant: "alice", name: "night runs" });
    await createIdentify(world)(withToken(token), stranger);
    const [listed] = await listTokens(world);
    expect(listed).toMatchObject({ id: info.id, tenant: "alice", name: "night runs" });
    for (const row of await world.table.queryIndex("list", "token-list#0", {}).then(({ rows }) => rows)) {
      expect(JSON.stringify(row)).not.toContain(token.slice("sortie_".length));
    }
  });

  it("tokens are listed by tenant, oldest first", async () => {
    const world = openWorld();
    for (const tenant of ["bob", "alice", "bob", "bobby"]) {
      await createToken(world, { tenant });
      await world.clock.advance(1);
    }
    expect((await listTokens(world)).map(({ tenant }) => tenant)).toEqual(["alice", "bob", "bob", "bobby"]);
    const bobs = await listTokens(world, "bob");
    expect(bobs.map(({ tenant }) => tenant)).toEqual(["bob", "bob"]);
    expect(bobs[0]!.createdAt).toBeLessThan(bobs[1]!.createdAt);
  });

  it.each([
    ["", /tenant "" is not a name/],
    ["a#b", /not a name/],
    ["a b", /not a name/],
    ["x".repeat(129), /not a name/],
  ])("the tenant %j is refused", async (tenant, text) => {
    await expect(createToken(openWorld(), { tenant })).rejects.toEqual(invalid(text));
  });

  it("a name of several lines, an expiry in the past and an unknown id are refused", async () => {
    const world = openWorld();
    await expect(createToken(world, { tenant: "a", name: "x\ny" })).rejects.toEqual(invalid(/control/));
    await expect(createToken(world, { tenant: "a", expiresAt: world.clock.now() })).rejects.toEqual(invalid(/ahead/));
    await expect(revokeToken(world, "0000")).rejects.toEqual(invalid(/no token has the id "0000"/));
  });
});
