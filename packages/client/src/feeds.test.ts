// Rules of the log and the incumbents as iterables.
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { connected, never } from "./testing/scripted.ts";

async function all<T>(feed: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of feed) found.push(each);
  return found;
}

describe("a log", () => {
  it("has its last line flagged", async () => {
    const { client } = await connected({
      async *streamLogs() {
        yield { line: "one", byteOffset: 4n };
        yield { line: "two", byteOffset: 8n };
        yield { line: "end", byteOffset: 12n, jobComplete: true };
        yield { line: "never read", byteOffset: 16n };
      },
    });
    expect(await all(client.logs("j"))).toEqual([
      { text: "one", byteOffset: 4, jobComplete: false },
      { text: "two", byteOffset: 8, jobComplete: false },
      { text: "end", byteOffset: 12, jobComplete: true },
    ]);
  });

  it("leaves out lines without text", async () => {
    const { client } = await connected({
      async *streamLogs() {
        yield { line: "", byteOffset: 1n };
        yield { line: "one", byteOffset: 5n };
        yield { line: "", byteOffset: 5n, jobComplete: true };
      },
    });
    expect((await all(client.logs("j"))).map(({ text }) => text)).toEqual(["one"]);
  });

  it("begins at the byte it is asked for", async () => {
    const { client } = await connected({
      async *streamLogs({ fromByte }) {
        yield { line: `from ${fromByte}`, byteOffset: 100n, jobComplete: true };
      },
    });
    expect((await all(client.logs("j", { from: 40 })))[0]?.text).toBe("from 40");
  });

  it("ends with the stream of a server that is not Sortie", async () => {
    const { client, calls } = await connected({ async *streamLogs() {} });
    expect(await all(client.logs("j"))).toEqual([]);
    expect(calls).toEqual(["StreamLogs"]);
  });

  it("goes on where a stream of Sortie stopped before the end", async () => {
    const asked: bigint[] = [];
    const { client } = await connected(
      {
        async *streamLogs({ fromByte }) {
          asked.push(fromByte);
          if (fromByte === 0n) yield { line: "one", byteOffset: 4n };
          else yield { line: "two", byteOffset: 8n, jobComplete: true };
        },
      },
      { sortie: true },
    );
    expect((await all(client.logs("j"))).map(({ text }) => text)).toEqual(["one", "two"]);
    expect(asked).toEqual([0n, 4n]);
  });

  it("fails with the stream", async () => {
    const { client } = await connected(
      {
        async *streamLogs() {
          yield { line: "one", byteOffset: 4n };
          throw new ConnectError("broken", Code.Unavailable);
        },
      },
      { sortie: true },
    );
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { text } of client.logs("j")) seen.push(text);
    })();
    await expect(reading).rejects.toMatchObject({ code: "unavailable", method: "StreamLogs" });
    expect(seen).toEqual(["one"]);
  });

  it("is left by a reader who leaves", async () => {
    const { promise: left, resolve } = Promise.withResolvers<void>();
    const { client } = await connected({
      async *streamLogs(_, { signal }) {
        signal.addEventListener("abort", () => resolve(), { once: true });
        yield { line: "one", byteOffset: 4n };
        await never();
      },
    });
    for await (const { text } of client.logs("j")) {
      expect(text).toBe("one");
      break;
    }
    await left;
  });

  it("rejects at once when it is aborted", async () => {
    const leaving = new AbortController();
    const { client } = await connected({
      async *streamLogs() {
        yield { line: "one", byteOffset: 4n };
        await never();
      },
    });
    const reason = new Error("enough");
    const reading = (async () => {
      for await (const _ of client.logs("j", { signal: leaving.signal })) leaving.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
  });
});

const entry = (index: number, objective: number) => ({ index: BigInt(index), objective, assignment: [objective, 0.5] });

describe("incumbents", () => {
  it("of one page come with index, objective and assignment", async () => {
    const { client } = await connected({
      getIncumbents: () => ({ incumbents: [entry(0, 3), entry(1, 2)], nextIndex: 2n }),
    });
    const page = await client.incumbentPage("j", 0);
    expect(page).toMatchObject({ nextIndex: 2, jobComplete: false });
    expect(page.incumbents.map(({ index, objective }) => [index, objective])).toEqual([
      [0, 3],
      [1, 2],
    ]);
    expect(page.incumbents[0]?.assignment).toEqual(Float64Array.of(3, 0.5));
  });

  it("with an odd index are passed on", async () => {
    const { client } = await connected({
      getIncumbents: ({ fromIndex }) => ({
        incumbents: fromIndex === 0n ? [entry(-1, 3)] : [],
        nextIndex: fromIndex,
        jobComplete: true,
      }),
    });
    expect((await all(client.incumbents("j"))).map(({ index }) => index)).toEqual([-1]);
  });

  it("are followed until the job has ended and a page was empty, each once", async () => {
    const pages = [[entry(0, 5)], [], [entry(1, 4), entry(2, 3)], []];
    const asked: bigint[] = [];
    const { client } = await connected({
      getIncumbents({ fromIndex }) {
        asked.push(fromIndex);
        const incumbents = pages.shift() ?? [];
        return { incumbents, nextIndex: fromIndex + BigInt(incumbents.length), jobComplete: pages.length < 2 };
      },
    });
    expect((await all(client.incumbents("j", { pollMs: 1 }))).map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(asked).toEqual([0n, 1n, 1n, 3n]);
  });

  it("come once from a server that always begins at the first", async () => {
    const { client } = await connected({
      getIncumbents: () => ({ incumbents: [entry(0, 5), entry(1, 4)], nextIndex: 2n, jobComplete: true }),
    });
    expect((await all(client.incumbents("j"))).map(({ index }) => index)).toEqual([0, 1]);
  });

  it("come one by one where all together are more than a message holds", async () => {
    const { client } = await connected({
      getIncumbents({ fromIndex, maxCount }) {
        if (maxCount !== 1) throw new ConnectError("message too large", Code.ResourceExhausted);
        const incumbents = fromIndex < 3n ? [entry(Number(fromIndex), 1)] : [];
        return { incumbents, nextIndex: fromIndex + BigInt(incumbents.length), jobComplete: true };
      },
    });
    expect((await all(client.incumbents("j"))).map(({ index }) => index)).toEqual([0, 1, 2]);
  });
});
