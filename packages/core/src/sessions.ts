// Sessions: what a client builds up over many calls. Small facts are in one row, large ones in blobs under the session's
// prefix, so that any process can serve any session. A change compares and sets the row's version: two calls at once never
// mix, and a reader sees the session before or after a change. A session that nobody uses for long is forgotten.
import { enter, leave } from "./admission.ts";
import type { Caller, Context, WorkerContext } from "./context.ts";
import { DomainError } from "./errors.ts";
import { duePosition, sessionBlobs, sessionKey } from "./keys.ts";
import type { BlobRef, CallOptions, Row, Value } from "./ports.ts";

type State = { readonly [key: string]: Value };
type Ports = Pick<WorkerContext, "table" | "blobs" | "clock" | "ids" | "limits">;

export interface Session {
  readonly id: string;
  readonly tenant: string;
  readonly createdAt: number;
  readonly usedAt: number;
  /** Grows with every change. */
  readonly version: number;
  /** Opaque here. */
  readonly state: State;
}

/** What a change makes of a session. */
export interface SessionChange<T> {
  readonly state: State;
  /** Keys of blobs that the new state needs no more. */
  readonly obsolete?: readonly string[] | undefined;
  /** Given back to the caller of `changeSession`. */
  readonly value: T;
}

/** Larger states go into a blob: a row holds 400 KB at most on some platforms. */
const ROW_BYTES = 64 * 1024;
/** The time of use is written at most this often, so that reading costs no write. */
const TOUCH_MS = 60_000;
const MOST_TRIES = 50;

/** @throws DomainError "too-many-sessions" */
export async function createSession(context: Context, caller: Caller, state: State): Promise<Session> {
  const id = context.ids.random();
  const place = await enter(context, caller.tenant, "sessions", id, context.limits.sessions);
  const now = context.clock.now();
  try {
    const written = await context.table.write(
      sessionKey(id),
      {
        set: {
          tenant: caller.tenant,
          place: place.member,
          createdAt: now,
          usedAt: now,
          version: 0,
          ...(await stored(context, id, 0, state)),
        },
        index: { due: duePosition(`session:${id}`, now + context.limits.sessionIdleMs) },
      },
      [{ kind: "row-absent" }],
    );
    if (!written.ok) throw new DomainError("unavailable", "The session could not be created; try again");
  } catch (error) {
    await leave(context, place).catch((fault) => context.onFault("giving back a session's place", fault));
    throw error;
  }
  return { id, tenant: caller.tenant, createdAt: now, usedAt: now, version: 0, state };
}

/** The session, which counts as used now. @throws DomainError "session-unknown" */
export async function requireSession(
  ports: Ports,
  caller: Caller,
  id: string,
  options?: CallOptions,
): Promise<Session> {
  const row = id === "" ? undefined : await ports.table.get(sessionKey(id), options);
  if (!row || row.attributes["tenant"] !== caller.tenant || row.attributes["closed"] === true) throw unknown(id);
  await touch(ports, row);
  return fromRow(ports, row, options);
}

/**
 * Changes a session: `change` is given the session as it is and makes its next state; it runs again if another change came
 * first, so what it stores must be under names of its own.
 * @throws DomainError "session-unknown"; "unavailable" if others change the session all the time
 */
export async function changeSession<T>(
  ports: Ports,
  caller: Caller,
  id: string,
  change: (session: Session) => Promise<SessionChange<T>> | SessionChange<T>,
  options?: CallOptions,
): Promise<{ readonly session: Session; readonly value: T }> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const session = await requireSession(ports, caller, id, options);
    const { state, obsolete = [], value } = await change(session);
    const version = session.version + 1;
    const now = ports.clock.now();
    const before = await ports.table.get(sessionKey(id), options);
    const written = await ports.table.write(
      sessionKey(id),
      {
        set: { version, usedAt: now, ...(await stored(ports, id, version, state)) },
        index: { due: duePosition(`session:${id}`, now + ports.limits.sessionIdleMs) },
      },
      [
        { kind: "equals", name: "version", value: session.version },
        { kind: "equals", name: "tenant", value: caller.tenant },
        { kind: "absent", name: "closed" },
      ],
      options,
    );
    if (!written.ok) continue;
    const replaced = before?.attributes["stateBlob"] as unknown as BlobRef | undefined;
    for (const key of [...obsolete, ...(replaced ? [replaced.key] : [])]) await ports.blobs.delete(key);
    return { session: { ...session, version, usedAt: now, state }, value };
  }
  throw new DomainError("unavailable", `Session ${id} is changed by too many calls at once; try again`);
}

/** Forgets the session and everything under it. @throws DomainError "session-unknown" */
export async function closeSession(ports: Ports, caller: Caller, id: string): Promise<void> {
  const closed = await ports.table.write(
    sessionKey(id),
    { set: { closed: true }, index: { due: duePosition(`session:${id}`, ports.clock.now()) } },
    [
      { kind: "equals", name: "tenant", value: caller.tenant },
      { kind: "absent", name: "closed" },
    ],
  );
  if (!closed.ok) throw unknown(id);
  await purgeSession(ports, closed.row);
}

/** The sweep's turn: an unused session ends, a closed one is purged. */
export async function attendSession(ports: Ports, row: Row): Promise<void> {
  if (row.attributes["closed"] === true) return purgeSession(ports, row);
  const id = idOf(row);
  const usedAt = Number(row.attributes["usedAt"]);
  const end = usedAt + ports.limits.sessionIdleMs;
  const unused: Parameters<Ports["table"]["write"]>[2] = [
    { kind: "equals", name: "usedAt", value: usedAt },
    { kind: "absent", name: "closed" },
  ];
  if (ports.clock.now() < end) {
    await ports.table.write(sessionKey(id), { index: { due: duePosition(`session:${id}`, end) } }, unused);
    return;
  }
  const closed = await ports.table.write(sessionKey(id), { set: { closed: true } }, unused);
  if (closed.ok) await purgeSession(ports, closed.row);
}

/** Blobs go before the row: a crash in between is found by the sweep. */
async function purgeSession(ports: Ports, row: Row): Promise<void> {
  const id = idOf(row);
  await ports.blobs.deletePrefix(sessionBlobs(id));
  const { tenant, place } = row.attributes;
  if (typeof tenant === "string" && typeof place === "string") {
    await leave(ports, { tenant, set: "sessions", member: place });
  }
  await ports.table.delete(sessionKey(id), []);
}

const idOf = (row: Row): string => row.pk.slice("session#".length);

const unknown = (id: string): DomainError => new DomainError("session-unknown", `Session '${id}' not found`);

async function touch(ports: Ports, row: Row): Promise<void> {
  const now = ports.clock.now();
  if (now - Number(row.attributes["usedAt"]) < Math.min(TOUCH_MS, ports.limits.sessionIdleMs / 10)) return;
  // The place in the index stays where it is: the sweep looks, and comes again later.
  await ports.table.write(row, { set: { usedAt: now } }, [{ kind: "absent", name: "closed" }, { kind: "row-exists" }]);
}

async function stored(
  ports: Ports,
  id: string,
  version: number,
  state: State,
): Promise<{ readonly [key: string]: Value }> {
  const text = JSON.stringify(state);
  if (text.length <= ROW_BYTES) return { state, stateBlob: null };
  const bytes = new TextEncoder().encode(text);
  // Two changes from one version may both come here; only one of them gets into the row.
  const key = `${sessionBlobs(id)}state/${version}-${ports.ids.random()}`;
  return { state: null, stateBlob: (await ports.blobs.put(key, [bytes])) as unknown as Value };
}

async function fromRow(ports: Ports, row: Row, options?: CallOptions): Promise<Session> {
  const { tenant, createdAt, usedAt, version, state, stateBlob } = row.attributes;
  let read = state as State | null;
  if (stateBlob) {
    const ref = stateBlob as unknown as BlobRef;
    const bytes = new Uint8Array(ref.bytes);
    await ports.blobs.readInto(ref, 0, bytes, options);
    read = JSON.parse(new TextDecoder().decode(bytes)) as State;
  }
  return {
    id: idOf(row),
    tenant: String(tenant),
    createdAt: Number(createdAt),
    usedAt: Number(usedAt),
    version: Number(version),
    state: read ?? {},
  };
}
