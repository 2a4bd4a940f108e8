// Group I: incumbents page by page, as an iteration, and as a callback of a solve.
import type { Incumbent } from "@sortie/client";
import { JobEndedError } from "@sortie/client";
import { describe, expect } from "vitest";
import { instance, longMip, tinyMip } from "../conformance/models.ts";
import { clientOf, faultOf, PROTOCOLS, scenario, until } from "./harness.ts";
import { COMPLETED, deletes, messageOf, mipSolution, PROCESSING, submits, whole } from "./messages.ts";
import { realServer } from "./real-server.ts";
import { type Script, type ScriptedServer, scriptedServer } from "./scripted-server.ts";

const entry = (index: number, objective = 10 - index) => ({
  index: BigInt(index),
  objective,
  assignment: [objective, index],
  jobId: "job-1",
});
const shown = ({ index, objective, assignment }: Incumbent) => [index, objective, [...assignment]];

describe.each(PROTOCOLS)("over %s", (protocol) => {
  scenario("I1", async () => {
    const page = { incumbents: [entry(0), entry(1)], nextIndex: 2n, jobComplete: true };
    const server = await scriptedServer({ getIncumbents: [page, { nextIndex: 2n, jobComplete: true }] }, { protocol });
    const client = await clientOf(server);
    const { incumbents, nextIndex, jobComplete } = await client.incumbentPage("job-1", 0);
    expect(incumbents.map(shown)).toEqual([
      [0, 10, [10, 0]],
      [1, 9, [9, 1]],
    ]);
    expect({ nextIndex, jobComplete }).toEqual({ nextIndex: 2, jobComplete: true });
  });

  scenario("I2", async () => {
    const server = await scriptedServer({ getIncumbents: [{ nextIndex: 2n, jobComplete: false }] }, { protocol });
    const page = await (await clientOf(server)).incumbentPage("job-1", 2);
    expect(page).toMatchObject({ incumbents: [], nextIndex: 2, jobComplete: false });
    expect(server.requestsOf("getIncumbents")).toMatchObject([{ jobId: "job-1", fromIndex: 2n }]);
  });

  scenario("I3", async () => {
    const odd = { incumbents: [entry(-1, 3)], nextIndex: 1n, jobComplete: false };
    const server = await scriptedServer(
      { getIncumbents: [odd, odd, { nextIndex: 1n, jobComplete: true }] },
      { protocol },
    );
    const client = await clientOf(server);
    expect((await client.incumbentPage("job-1", 0)).incumbents.map(shown)).toEqual([[-1, 3, [3, -1]]]);
    const followed: unknown[] = [];
    for await (const each of client.incumbents("job-1", { pollMs: 1 })) followed.push(shown(each));
    expect(followed).toEqual([[-1, 3, [3, -1]]]);
  });
});

/** A MIP that finds entry after entry; the last ones come between the last poll of a client and the end. */
function improving(): Script {
  let known = [entry(0)];
  let completed = false;
  const end = () => {
    if (!completed) known = [...known, entry(1), entry(2)];
    completed = true;
    return COMPLETED;
  };
  let polls = 0;
  let asked = 0;
  return {
    ...submits,
    ...deletes,
    // The job ends once the client has seen its first entry.
    checkStatus: () => (asked > 0 && ++polls > 2 ? end() : PROCESSING),
    waitForCompletion: async () => {
      await until(() => asked > 0, "the client asks for incumbents");
      return end();
    },
    getIncumbents: ({ fromIndex }) => {
      asked++;
      return { incumbents: known.slice(Number(fromIndex)), nextIndex: BigInt(known.length), jobComplete: completed };
    },
    getResult: [whole(mipSolution([3]))],
  };
}

for (const style of ["polling", "waiting"] as const) {
  scenario("I12", style, async () => {
    const server: ScriptedServer = await scriptedServer(improving());
    const seen: number[] = [];
    const onIncumbent = ({ index }: Incumbent) => void seen.push(index);
    await (await clientOf(server)).solve(messageOf(tinyMip()), { style, pollMs: 1, onIncumbent });
    expect(seen).toEqual([0, 1, 2]);
  });
}

scenario("I12", "a list that is cut is read to its end", async () => {
  const all = [entry(0), entry(1), entry(2)];
  const server = await scriptedServer({
    getIncumbents: ({ fromIndex, maxCount }) => {
      const from = Number(fromIndex);
      const page = all.slice(from, from + (maxCount || all.length));
      return { incumbents: page, nextIndex: BigInt(from + page.length), jobComplete: true };
    },
  });
  const seen: number[] = [];
  for await (const { index } of (await clientOf(server)).incumbents("job-1", { maxCount: 1 })) seen.push(index);
  expect(seen).toEqual([0, 1, 2]);
});

const real = realServer();

scenario("I4", async () => {
  const client = await clientOf(await real());
  const objectives: number[] = [];
  const { result } = await client.solve(messageOf(instance("p0201")), {
    onIncumbent: ({ objective }) => void objectives.push(objective),
  });
  expect(objectives.length).toBeGreaterThan(0);
  objectives.forEach((objective, i) => {
    if (i > 0) expect(objective).toBeLessThanOrEqual(objectives[i - 1]! + 1e-6);
  });
  expect(result.scalars).toMatchObject({ mipObjective: objectives.at(-1) });
});

scenario("I5", async () => {
  const client = await clientOf(await real());
  const ids: string[] = [];
  const error = await faultOf(
    client.solve(messageOf(longMip(), { settings: { time_limit: 300 } }), {
      onIncumbent: ({ jobId }) => {
        ids.push(jobId);
        return "stop";
      },
    }),
  );
  expect(error).toBeInstanceOf(JobEndedError);
  expect(error).toMatchObject({ state: "cancelled" });
  expect(error.message).toMatch(/cancelled by incumbent callback/i);
  expect(await client.status(ids[0]!)).toMatchObject({ state: "cancelled" });
  await client.delete(ids[0]!);
});

scenario("I13", async () => {
  const client = await clientOf(await real());
  const jobId = await client.submit(messageOf(instance("p0201")));
  const live: unknown[] = [];
  for await (const each of client.incumbents(jobId, { pollMs: 20 })) live.push(shown(each));
  expect(await client.status(jobId)).toMatchObject({ state: "completed" });
  expect(live.length).toBeGreaterThan(0);
  expect(live).toEqual((await client.incumbentPage(jobId, 0)).incumbents.map(shown));
  await client.delete(jobId);
});
