// Rules of a problem's way to the server, against a service that keeps what it gets.
import { createHash } from "node:crypto";
import { Code, ConnectError, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import {
  ArrayFieldId,
  CuOptRemoteService,
  type SendArrayChunkRequest,
  TransferService,
  UploadState,
} from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { type ServerInfo, serviceOver } from "./context.ts";
import { RemoteError } from "./errors.ts";
import type { ClientOptions } from "./limits.ts";
import type { ProblemMessage } from "./message.ts";
import { Model } from "./model.ts";
import { ResumeError } from "./resume.ts";
import { type SubmitOptions, submitProblem } from "./upload.ts";

const values = Float64Array.from({ length: 1000 }, (_, i) => i / 7);
const problem: ProblemMessage = {
  kind: "lp",
  arrays: new Map<ArrayFieldId, Float64Array | Int32Array>([
    [ArrayFieldId.FIELD_A_VALUES, values],
    [ArrayFieldId.FIELD_A_OFFSETS, Int32Array.of(0, 1000)],
  ]),
};
const ALL_BYTES = 8008;
const sortie: ServerInfo = { isSortie: true, version: "0", maxMessageBytes: 0 };
const stock: ServerInfo = { isSortie: false, version: undefined, maxMessageBytes: 0 };

/** A server with one upload, "u", which becomes the job "j". */
class Uploads {
  readonly calls: string[] = [];
  readonly chunks: { fieldId: number; offset: number; data: Uint8Array; sha256: string | null }[] = [];
  readonly headers: Headers[] = [];
  submitted = false;
  maxMessageBytes = 0n;
  inFlight = 0;
  mostInFlight = 0;
  /** Called before a chunk is stored. */
  onChunk: (chunk: SendArrayChunkRequest, count: number) => void | Promise<void> = () => undefined;
  onFinish: () => void = () => undefined;
  #count = 0;

  get storedBytes(): number {
    return this.chunks.reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  readonly transport = createRouterTransport(({ service }) => {
    service(CuOptRemoteService, {
      submitJob: (_, { requestHeader }: HandlerContext) => {
        this.calls.push("submit");
        this.headers.push(requestHeader);
        this.onFinish();
        return { jobId: "j" };
      },
      startChunkedUpload: () => {
        this.calls.push("start");
        return { uploadId: "u", maxMessageBytes: this.maxMessageBytes };
      },
      sendArrayChunk: async (request, { requestHeader }) => {
        this.calls.push("send");
        this.inFlight += 1;
        this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
        try {
          this.#count += 1;
          await this.onChunk(request, this.#count);
        } finally {
          this.inFlight -= 1;
        }
        const { fieldId, elementOffset, data } = request.chunk!;
        const sha256 = requestHeader.get("sortie-chunk-sha256");
        this.chunks.push({ fieldId, offset: Number(elementOffset), data: data.slice(), sha256 });
        return {};
      },
      finishChunkedUpload: (_, { requestHeader }) => {
        this.calls.push("finish");
        this.headers.push(requestHeader);
        this.onFinish();
        this.submitted = true;
        return { jobId: "j" };
      },
    });
    service(TransferService, {
      getUploadState: () => {
        this.calls.push("state");
        if (this.submitted) return { state: UploadState.SUBMITTED, jobId: "j" };
        const arrays = [2, 4].map((fieldId) => ({
          fieldId,
          name: fieldId === 2 ? "A_values" : "A_offsets",
          elements: fieldId === 2 ? 1000n : 2n,
          received: this.chunks
            .filter((chunk) => chunk.fieldId === fieldId)
            .sort((a, b) => a.offset - b.offset)
            .map(({ offset, data }) => ({
              elementOffset: BigInt(offset),
              elements: BigInt(data.byteLength / (fieldId === 2 ? 8 : 4)),
            })),
        }));
        return { state: UploadState.OPEN, arrays };
      },
    });
  });

  submit(server: ServerInfo, options: SubmitOptions = {}, limits: ClientOptions = {}): Promise<string> {
    const service = serviceOver(this.transport, { chunkBytes: 800, unaryUpToBytes: 0, ...limits }, () => server);
    return submitProblem(service, problem, options);
  }

  /** What was stored, as one array. */
  get received(): Float64Array {
    const result = new Float64Array(values.length);
    for (const { fieldId, offset, data } of this.chunks) {
      if (fieldId === 2) new Uint8Array(result.buffer).set(data, offset * 8);
    }
    return result;
  }
}

const lost = () => new ConnectError("gone", Code.Unavailable);

it("what is no problem message, such as a model, is refused before anything is sent", async () => {
  const server = new Uploads();
  const service = serviceOver(server.transport, {}, () => stock);
  for (const given of [new Model(), {}, undefined]) {
    await expect(submitProblem(service, given as never)).rejects.toThrow(/problemMessage\(model\.toProblem\(\)\)/);
  }
  expect(server.calls).toEqual([]);
});

describe("a problem within the threshold", () => {
  it("goes in one message, with its key and its webhook, and tells its progress once", async () => {
    const server = new Uploads();
    const progress: unknown[] = [];
    const options = { idempotencyKey: "k", webhook: "https://a.example", onProgress: (p: unknown) => progress.push(p) };
    expect(await server.submit(stock, options, { unaryUpToBytes: 100_000 })).toBe("j");
    expect(server.calls).toEqual(["submit"]);
    expect(server.headers[0]?.get("idempotency-key")).toBe("k");
    expect(server.headers[0]?.get("sortie-webhook")).toBe("https://a.example");
    expect(progress).toEqual([{ doneBytes: ALL_BYTES, totalBytes: ALL_BYTES }]);
  });

  it("goes in chunks all the same where the server is known to take less in one message", async () => {
    const server = new Uploads();
    await server.submit({ ...sortie, maxMessageBytes: 4096 }, {}, { unaryUpToBytes: 100_000 });
    expect(server.calls[0]).toBe("start");
  });

  it("is sent again by a helper only under a key, and only to Sortie", async () => {
    for (const [info, key, calls] of [
      [sortie, "k", 2],
      [sortie, undefined, 1],
      [stock, "k", 1],
    ] as const) {
      const server = new Uploads();
      server.onFinish = () => {
        if (server.calls.length === 1) throw lost();
      };
      const sent = server.submit(info, { repeat: true, idempotencyKey: key }, { unaryUpToBytes: 100_000 });
      if (calls === 2) expect(await sent).toBe("j");
      else await expect(sent).rejects.toThrow("gone");
      expect(server.calls).toHaveLength(calls);
    }
  });
});

describe("a problem above the threshold", () => {
  it("is opened, sent in chunks and finished; every element arrives once", async () => {
    const server = new Uploads();
    const done: number[] = [];
    expect(
      await server.submit(stock, { idempotencyKey: "k", onProgress: ({ doneBytes }) => done.push(doneBytes) }),
    ).toBe("j");
    expect(server.calls[0]).toBe("start");
    expect(server.calls.at(-1)).toBe("finish");
    expect(server.headers[0]?.get("idempotency-key")).toBe("k");
    expect(server.storedBytes).toBe(ALL_BYTES);
    expect(server.received).toEqual(values);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.at(-1)).toBe(ALL_BYTES);
  });

  it("has chunks of at most nine tenths of what the server takes, in whole elements", async () => {
    const server = new Uploads();
    server.maxMessageBytes = 500n;
    await server.submit(stock);
    expect(Math.max(...server.chunks.map(({ data }) => data.byteLength))).toBe(448);
  });

  it("has no more chunks, and no more bytes, in flight than allowed", async () => {
    for (const [limits, most] of [
      [{ parallelChunks: 3 }, 3],
      [{ parallelChunks: 9, bytesInFlight: 1605 }, 2],
    ] as const) {
      const server = new Uploads();
      server.onChunk = () => new Promise((resolve) => setImmediate(resolve));
      await server.submit(stock, {}, limits);
      expect(server.mostInFlight).toBe(most);
    }
  });

  it("is given up at the first failure if nobody asked for repeats, or the server is not Sortie", async () => {
    for (const [info, repeat] of [
      [sortie, false],
      [stock, true],
    ] as const) {
      const server = new Uploads();
      server.onChunk = (_, count) => {
        if (count === 3) throw lost();
      };
      await expect(server.submit(info, { repeat }, { parallelChunks: 1 })).rejects.toThrow(RemoteError);
      expect(server.calls).toEqual(["start", "send", "send", "send"]);
    }
  });

  it("goes on against Sortie with what the server does not have, also where only an answer was lost", async () => {
    const server = new Uploads();
    server.onChunk = ({ chunk }, count) => {
      if (count === 3) throw lost();
      if (count !== 5) return;
      const { fieldId, elementOffset, data } = chunk!;
      server.chunks.push({ fieldId, offset: Number(elementOffset), data: data.slice(), sha256: null });
      throw lost();
    };
    expect(await server.submit(sortie, { repeat: true }, { parallelChunks: 1 })).toBe("j");
    expect(server.storedBytes).toBe(ALL_BYTES);
    expect(server.received).toEqual(values);
    expect(server.calls.filter((name) => name === "state")).toHaveLength(2);
  });

  it("is one job although the answer to its finish was lost", async () => {
    const server = new Uploads();
    server.onFinish = () => {
      server.submitted = true;
      throw lost();
    };
    expect(await server.submit(sortie, { repeat: true })).toBe("j");
    expect(server.calls.slice(-2)).toEqual(["finish", "state"]);
  });

  it("is not sent again where the server refuses it", async () => {
    const server = new Uploads();
    server.onFinish = () => {
      throw new ConnectError("the queue is full", Code.ResourceExhausted);
    };
    await expect(server.submit(sortie, { repeat: true })).rejects.toThrow("the queue is full");
    expect(server.calls.filter((name) => name === "finish")).toHaveLength(1);
  });

  it("stops at once when it is aborted", async () => {
    const server = new Uploads();
    const leaving = new AbortController();
    server.onChunk = () => {
      leaving.abort(new Error("enough"));
    };
    await expect(server.submit(sortie, { signal: leaving.signal, repeat: true })).rejects.toThrow("enough");
    expect(server.calls).not.toContain("finish");
  });
});

describe("an upload that another client began", () => {
  it("goes on with what is missing; progress begins at what was there", async () => {
    const server = new Uploads();
    const ids: string[] = [];
    const cut = new AbortController();
    server.onChunk = (_, count) => {
      if (count === 5) cut.abort(new Error("killed"));
    };
    const first = server.submit(
      sortie,
      { signal: cut.signal, onUpload: (id) => void ids.push(id) },
      { parallelChunks: 1 },
    );
    await expect(first).rejects.toThrow("killed");
    const before = server.storedBytes;
    const done: number[] = [];
    const resumed = server.submit(sortie, { uploadId: ids[0], onProgress: ({ doneBytes }) => done.push(doneBytes) });
    expect(await resumed).toBe("j");
    expect(done[0]).toBe(before);
    expect(done.at(-1)).toBe(ALL_BYTES);
    expect(server.storedBytes).toBe(ALL_BYTES);
    expect(server.received).toEqual(values);
    expect(server.calls.filter((name) => name === "start")).toHaveLength(1);
  });

  it("is its job if it was finished before", async () => {
    const server = new Uploads();
    server.submitted = true;
    expect(await server.submit(sortie, { uploadId: "u" })).toBe("j");
    expect(server.calls).toEqual(["state"]);
  });

  it("cannot be gone on with where the server does not tell what has arrived", async () => {
    const server = new Uploads();
    await expect(server.submit(stock, { uploadId: "u" })).rejects.toThrow(ResumeError);
    expect(server.calls).toEqual([]);
  });
});

describe("the transfer hash", () => {
  it("goes with every chunk to Sortie, which needs chunks, and to nobody else", async () => {
    const server = new Uploads();
    await server.submit(sortie, {}, { transferHash: true, unaryUpToBytes: 100_000 });
    for (const { data, sha256 } of server.chunks) {
      expect(sha256).toBe(createHash("sha256").update(data).digest("hex"));
    }
    const other = new Uploads();
    await other.submit(stock, {}, { transferHash: true });
    expect(other.chunks.every(({ sha256 }) => sha256 === null)).toBe(true);
  });

  it("makes a helper send a chunk again that came altered", async () => {
    const server = new Uploads();
    server.onChunk = (_, count) => {
      if (count === 2) throw new ConnectError("not what its digest says", Code.DataLoss);
    };
    expect(await server.submit(sortie, { repeat: true }, { transferHash: true })).toBe("j");
    expect(server.received).toEqual(values);
  });
});
