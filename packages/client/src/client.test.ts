// Rules of a client whose server ends waits and streams before the job has ended.
import { createRouterTransport } from "@connectrpc/connect";
import { CuOptRemoteService, JobStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { SortieClient } from "./client.ts";

describe("a client", () => {
  it("asks again when a wait ended with a job that goes on", async () => {
    const states = [JobStatus.QUEUED, JobStatus.PROCESSING, JobStatus.COMPLETED];
    const transport = createRouterTransport(({ service }) => {
      service(CuOptRemoteService, { waitForCompletion: () => ({ jobStatus: states.shift() ?? JobStatus.NOT_FOUND }) });
    });
    await new SortieClient(transport).wait("j");
    expect(states).toEqual([]);
  });

  it("goes on in the log where a stream stopped", async () => {
    const asked: bigint[] = [];
    const transport = createRouterTransport(({ service }) => {
      service(CuOptRemoteService, {
        async *streamLogs({ fromByte }) {
          asked.push(fromByte);
          if (fromByte === 0n) yield { line: "one", byteOffset: 4n };
          if (fromByte === 4n && asked.length > 2) {
            yield { line: "two", byteOffset: 8n };
            yield { line: "", byteOffset: 8n, jobComplete: true };
          }
        },
      });
    });
    const lines: string[] = [];
    for await (const line of new SortieClient(transport).logs("j")) lines.push(line);
    expect(lines).toEqual(["one", "two"]);
    expect(asked).toEqual([0n, 4n, 4n]);
  });

  it("stops asking when it is told to", async () => {
    const leaving = new AbortController();
    const transport = createRouterTransport(({ service }) => {
      service(CuOptRemoteService, {
        waitForCompletion() {
          leaving.abort(new Error("enough"));
          return { jobStatus: JobStatus.QUEUED };
        },
      });
    });
    await expect(new SortieClient(transport).wait("j", { signal: leaving.signal })).rejects.toThrow();
  });
});
