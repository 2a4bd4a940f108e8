// Admission: each tenant has one row with the sets of its live ids. A place is taken by adding the id on the condition
// that the set is not full, and given back by removing it; a crash in between leaves an id that the next check clears.
import type { Context } from "./context.ts";
import { DomainError } from "./errors.ts";
import { isFinished, jobFromRow } from "./job.ts";
import { admissionKey, downloadKey, jobKey, sessionKey, uploadKey } from "./keys.ts";
import { checkBytes, checkWorkerTime } from "./quotas.ts";

type Ports = Pick<Context, "table" | "clock">;
type EntryPorts = Pick<Context, "table" | "clock" | "limits">;
export type AdmissionSet = "jobs" | "uploads" | "downloads" | "sessions";

/** An id that was added this recently may still be waiting for its row. */
const ROW_GRACE_MS = 60_000;

const entry = (id: string, now: number): string => `${id}|${now}`;

/** Members carry the time they were added: `id|ms`. */
function parse(member: string): { id: string; addedAt: number } {
  const [id = "", addedAt = "0"] = member.split("|");
  return { id, addedAt: Number(addedAt) };
}

/** A taken place; give it back with `leave`. */
export interface Place {
  readonly tenant: string;
  readonly set: AdmissionSet;
  readonly member: string;
}

/**
 * Takes one of `limit` places.
 * @throws DomainError "queue-full", "too-many-transfers" or "too-many-sessions" with the limit and the use; "quota-exceeded" if the tenant has
 *   used up its bytes (new uploads and jobs) or its worker time (new jobs)
 */
export async function enter(
  ports: EntryPorts,
  tenant: string,
  set: AdmissionSet,
  id: string,
  limit: number,
): Promise<Place> {
  // The last upload may fill the bytes to the brim: its job adds none.
  if (set === "uploads") await checkBytes(ports, tenant, 1);
  if (set === "jobs") {
    await checkBytes(ports, tenant, 0);
    await checkWorkerTime(ports, tenant);
  }
  const place: Place = { tenant, set, member: entry(id, ports.clock.now()) };
  const attempt = () =>
    ports.table.write(admissionKey(tenant), { addToSet: { [set]: [place.member] } }, [
      { kind: "set-smaller-than", name: set, size: limit },
    ]);
  if ((await attempt()).ok) return place;
  await clearStale(ports, tenant, set);
  if ((await attempt()).ok) return place;
  if (set === "jobs") {
    throw new DomainError(
      "queue-full",
      `Job queue full: ${limit} of ${limit} jobs are queued or running; try again later`,
    );
  }
  if (set === "sessions") {
    throw new DomainError("too-many-sessions", `Too many sessions: ${limit} of ${limit} are open; close one first`);
  }
  const what = set === "uploads" ? "chunked uploads" : "chunked downloads";
  throw new DomainError(
    "too-many-transfers",
    `Too many ${what}: ${limit} of ${limit} are open; finish one or let one expire first`,
  );
}

/** Gives a place back. Harmless when it is already free. */
export async function leave(ports: Ports, place: Place): Promise<void> {
  await ports.table.write(admissionKey(place.tenant), { removeFromSet: { [place.set]: [place.member] } }, [
    { kind: "row-exists" },
  ]);
}

/** Removes the ids of one set whose rows are gone or done. */
export async function clearStale(ports: Ports, tenant: string, set: AdmissionSet): Promise<void> {
  const row = await ports.table.get(admissionKey(tenant));
  const members = [...(row?.sets[set] ?? [])];
  const live = await Promise.all(members.map((member) => isLive(ports, set, parse(member))));
  const stale = members.filter((_, index) => !live[index]);
  if (stale.length === 0) return;
  await ports.table.write(admissionKey(tenant), { removeFromSet: { [set]: stale } }, [{ kind: "row-exists" }]);
}

async function isLive(ports: Ports, set: AdmissionSet, member: { id: string; addedAt: number }): Promise<boolean> {
  const key = { jobs: jobKey, uploads: uploadKey, downloads: downloadKey, sessions: sessionKey }[set](member.id);
  const row = await ports.table.get(key);
  if (!row) return ports.clock.now() - member.addedAt < ROW_GRACE_MS;
  if (set === "uploads") return row.attributes["state"] === "open" || row.attributes["state"] === "finishing";
  if (set === "downloads" || set === "sessions") return true;
  const job = jobFromRow(row);
  return !job.deleted && !isFinished(job.state);
}
