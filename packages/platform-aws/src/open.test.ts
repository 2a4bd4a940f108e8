// Rules of opening a deployment; nothing is sent here.
import { describe, expect, it } from "vitest";
import type { BatchApi, BatchSubmission } from "./batch-dispatcher.ts";
import type { EventEntry } from "./eventbridge-events.ts";
import { openAws, openAwsFront, placementPolicy } from "./open.ts";
import { type Environment, readAwsSettings } from "./settings.ts";

const NEEDED = { SORTIE_TABLE: "sortie", SORTIE_BUCKET: "sortie-data" };
const CPU = { SORTIE_CPU_QUEUE: "q", SORTIE_CPU_DEFINITION: "d" };
const settingsOf = (environment: Environment) => readAwsSettings({ ...NEEDED, ...environment });
const request = { jobId: "j", tenant: "t", placement: "cpu", memoryBytes: 1e9, attempt: 1 } as const;

function scripted() {
  const submitted: BatchSubmission[] = [];
  const invoked: string[] = [];
  const put: EventEntry[] = [];
  const batch: BatchApi = {
    submit: async (submission) => {
      submitted.push(submission);
      return "b";
    },
    terminate: async () => {},
    describe: async () => undefined,
    named: async () => [],
  };
  const clients = {
    batch,
    lambda: { invoke: async (name: string) => void invoked.push(name) },
    eventBridge: {
      putEvent: async (entry: EventEntry) => {
        put.push(entry);
        return undefined;
      },
    },
  };
  return { submitted, invoked, put, options: { region: "us-east-1", clients, onFault: () => {} } };
}

describe("placement", () => {
  it("is available where it is set up", () => {
    expect(placementPolicy(settingsOf({ SORTIE_SOLVE_FUNCTION: "solve" })).available).toEqual(["inline"]);
    expect(placementPolicy(settingsOf({ ...CPU, SORTIE_SOLVE_FUNCTION: "solve" })).available).toEqual([
      "inline",
      "cpu",
    ]);
  });

  it("takes jobs into the function as far as its memory goes", () => {
    const policy = placementPolicy(settingsOf({ SORTIE_SOLVE_FUNCTION: "solve", SORTIE_SOLVE_MEMORY_MIB: "512" }));
    expect(policy.inline.memoryBytes).toBe(512 * 2 ** 20);
  });

  it("must be set up somewhere", () => {
    expect(() => placementPolicy(settingsOf({}))).toThrow(
      /no placement is set up; at least one of SORTIE_SOLVE_FUNCTION/,
    );
  });
});

describe("a deployment", () => {
  it("starts workers at its placements, and its leases decide", async () => {
    const { submitted, invoked, options } = scripted();
    await using platform = openAws(settingsOf({ ...CPU, SORTIE_SOLVE_FUNCTION: "solve" }), options);
    await platform.dispatcher.dispatch(request);
    await platform.dispatcher.dispatch({ ...request, placement: "inline" });
    expect(submitted).toMatchObject([{ queue: "q", definition: "d", name: "sortie-j-1" }]);
    expect(invoked).toEqual(["solve"]);
    expect(platform.dispatcher.attemptEndsWith).toBe("lease");
  });

  it("puts events on its bus, if it has one", async () => {
    const event = { id: "e", type: "Job Queued", jobId: "j", tenant: "t", at: 0, detail: {} } as const;
    const { put, options } = scripted();
    await using silent = openAws(settingsOf(CPU), options);
    await silent.events.publish(event);
    expect(put).toEqual([]);
    await using platform = openAws(settingsOf({ ...CPU, SORTIE_EVENT_BUS: "jobs" }), options);
    await platform.events.publish(event);
    expect(put).toMatchObject([{ bus: "jobs", detailType: "Job Queued" }]);
  });
});

describe("a front", () => {
  it("starts no workers and tells nobody: the rows say what is due", async () => {
    const { submitted, options } = scripted();
    await using platform = openAwsFront(settingsOf(CPU), options);
    await platform.dispatcher.dispatch(request);
    await platform.dispatcher.stop("j", 0);
    expect(submitted).toEqual([]);
    const event = { id: "e", type: "Job Queued", jobId: "j", tenant: "t", at: 0, detail: {} } as const;
    await expect(platform.events.publish(event)).rejects.toThrow("tells nobody");
  });
});
