// Group H: the log of a job as an iteration, and as a callback that can stop it.
import { once } from "node:events";
import type { LogLine } from "@sortie/client";
import { describe, expect } from "vitest";
import { clientOf, PROTOCOLS, scenario, until } from "./harness.ts";
import { COMPLETED, PROCESSING } from "./messages.ts";
import { type Call, type ScriptedServer, scriptedServer } from "./scripted-server.ts";

const LINES = [
  { line: "one", byteOffset: 4n },
  { line: "two", byteOffset: 8n },
  { line: "three", byteOffset: 14n, jobComplete: true },
];

/** Two lines at once; then the stream stays open until its reader leaves. */
async function* endless(_: unknown, { signal }: Call<"streamLogs">) {
  yield* LINES.slice(0, 2);
  if (!signal.aborted) await once(signal, "abort");
}

const hasLeft = (server: ScriptedServer) => server.callsOf("streamLogs").every(({ signal }) => signal.aborted);

describe.each(PROTOCOLS)("over %s", (protocol) => {
  scenario("H3", async () => {
    const server = await scriptedServer({ streamLogs: [LINES] }, { protocol });
    const lines: LogLine[] = [];
    for await (const line of (await clientOf(server)).logs("job-1")) lines.push(line);
    expect(lines).toEqual([
      { text: "one", byteOffset: 4, jobComplete: false },
      { text: "two", byteOffset: 8, jobComplete: false },
      { text: "three", byteOffset: 14, jobComplete: true },
    ]);
    expect(server.requestsOf("streamLogs")).toMatchObject([{ jobId: "job-1", fromByte: 0n }]);
  });

  scenario("H4", "a loop that is left", async () => {
    const server = await scriptedServer({ streamLogs: endless }, { protocol });
    const lines: string[] = [];
    for await (const { text } of (await clientOf(server)).logs("job-1")) {
      lines.push(text);
      break;
    }
    expect(lines).toEqual(["one"]);
    await until(() => hasLeft(server), "the server sees that its reader has left");
    expect(server.callsOf("streamLogs")).toHaveLength(1);
  });

  scenario("H4", "a callback of a wait", async () => {
    // The job does not end before the client has left the log.
    const server: ScriptedServer = await scriptedServer(
      {
        streamLogs: endless,
        waitForCompletion: async () => {
          await until(() => server.callsOf("streamLogs").length > 0 && hasLeft(server), "the log is left");
          return COMPLETED;
        },
      },
      { protocol },
    );
    const lines: string[] = [];
    const onLog = ({ text }: LogLine) => {
      lines.push(text);
      return "stop" as const;
    };
    expect(await (await clientOf(server)).wait("job-1", { onLog })).toMatchObject({ state: "completed" });
    expect(lines.length).toBeLessThanOrEqual(2);
    expect(lines[0]).toBe("one");
    expect(server.callsOf("streamLogs")).toHaveLength(1);
    expect(server.methods).not.toContain("cancelJob");
  });

  scenario("H5", async () => {
    // The job is over, whoever asks.
    const server = await scriptedServer({ streamLogs: [[]], checkStatus: () => COMPLETED }, { protocol });
    const lines: LogLine[] = [];
    for await (const line of (await clientOf(server)).logs("job-1")) lines.push(line);
    expect(lines).toEqual([]);
  });
});

scenario("H3", "a callback sees every line but the empty ones", async () => {
  const server: ScriptedServer = await scriptedServer({
    streamLogs: [
      [
        { line: "one", byteOffset: 4n },
        { line: "", byteOffset: 5n },
        { line: "", byteOffset: 5n, jobComplete: true },
      ],
    ],
    waitForCompletion: [COMPLETED],
  });
  const lines: string[] = [];
  await (await clientOf(server)).wait("job-1", { onLog: ({ text }) => void lines.push(text) });
  expect(lines).toEqual(["one"]);
});

scenario("H5", "a stream of Sortie that ends before the job is opened again where it stopped", async () => {
  const states = [PROCESSING, COMPLETED];
  const server = await scriptedServer(
    { streamLogs: [LINES.slice(0, 1), LINES.slice(1)], checkStatus: () => states.shift() ?? COMPLETED },
    { sortieVersion: "0.1.0" },
  );
  const lines: string[] = [];
  for await (const { text } of (await clientOf(server)).logs("job-1")) lines.push(text);
  expect(lines).toEqual(["one", "two", "three"]);
  expect(server.requestsOf("streamLogs").map(({ fromByte }) => fromByte)).toEqual([0n, 4n]);
});
