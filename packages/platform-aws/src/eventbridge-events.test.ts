// Job events as entries of a bus.
import type { JobEvent } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { EventBridgeEvents, type EventEntry } from "./eventbridge-events.ts";

const event: JobEvent = {
  id: "e1",
  type: "Job Completed",
  jobId: "j1",
  tenant: "acme",
  at: 1_700_000_000_000,
  detail: { kind: "lp", placement: "cpu", attempt: 1, timings: {}, objective: 3.5 },
};

function bus(answer: () => Promise<string | undefined>) {
  const entries: EventEntry[] = [];
  const putEvent = async (entry: EventEntry) => {
    entries.push(entry);
    return answer();
  };
  return { entries, events: new EventBridgeEvents({ putEvent }, "jobs") };
}

describe("events on EventBridge", () => {
  it("carry the version of their schema and say whose they are", async () => {
    const { entries, events } = bus(async () => undefined);
    await events.publish(event);
    const [entry] = entries;
    expect(entry).toMatchObject({ bus: "jobs", source: "sortie", detailType: "Job Completed", time: event.at });
    expect(JSON.parse(entry!.detail)).toEqual({
      version: 1,
      id: "e1",
      type: "Job Completed",
      jobId: "j1",
      tenant: "acme",
      time: "2023-11-14T22:13:20.000Z",
      ...event.detail,
    });
  });

  it("that the bus does not take are to be tried again", async () => {
    const { events } = bus(async () => "InternalFailure");
    await expect(events.publish(event)).rejects.toMatchObject({ reason: "unavailable" });
    const throttled = bus(async () => {
      throw Object.assign(new Error("secret"), { name: "ThrottlingException" });
    });
    await expect(throttled.events.publish(event)).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("that are too large for the bus are refused before they are sent", async () => {
    const { entries, events } = bus(async () => undefined);
    const large = { ...event, detail: { text: "x".repeat(300_000) } };
    await expect(events.publish(large)).rejects.toMatchObject({ reason: "too-large" });
    expect(entries).toEqual([]);
  });

  it("are not sent once the signal is aborted", async () => {
    const { entries, events } = bus(async () => undefined);
    const signal = AbortSignal.abort(new Error("too late"));
    await expect(events.publish(event, { signal })).rejects.toThrow("too late");
    expect(entries).toEqual([]);
  });
});
