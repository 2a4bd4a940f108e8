// Rules of a result's way home, against a service that answers as it is told.
import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import {
  CuOptRemoteService,
  type GetResultChunkRequest,
  type GetResultChunkResponseSchema,
  ProblemCategory,
  ResponseStatus,
  ResultFieldId,
} from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { type ServerInfo, serviceOver } from "./context.ts";
import { downloadResult, type ResultOptions } from "./download.ts";
import { JobEndedError, RemoteError, TransferFaultError } from "./errors.ts";
import type { ClientOptions } from "./limits.ts";

const primal = Float64Array.of(1, -0, Number.NaN, Number.POSITIVE_INFINITY, 5, 6, 7);
const bytes = new Uint8Array(primal.buffer);
const sortie: ServerInfo = { isSortie: true, version: "0", maxMessageBytes: 0 };
const stock: ServerInfo = { isSortie: false, version: undefined, maxMessageBytes: 0 };

type Chunk = MessageInitShape<typeof GetResultChunkResponseSchema>;

const honest = ({ elementOffset, maxElements }: GetResultChunkRequest): Chunk => {
  const start = Number(elementOffset);
  const count = Math.min(Number(maxElements), primal.length - start);
  return { elementOffset, elementsInChunk: BigInt(count), data: bytes.subarray(start * 8, (start + count) * 8) };
};

class Results {
  readonly calls: string[] = [];
  size = 56n;
  maxMessageBytes = 1000n;
  /** Answers GetResult. */
  whole: () => object = () => {
    throw new ConnectError("too large for one message", Code.ResourceExhausted);
  };
  descriptor: object = { totalElements: 7n, elementSizeBytes: 8n };
  category = ProblemCategory.LP;
  chunk: (request: GetResultChunkRequest, headers: { sent: Headers; answered: Headers }) => Chunk = honest;
  onFinish: () => void = () => undefined;
  onStart: () => void = () => undefined;
  onStatus: () => void = () => undefined;

  readonly transport = createRouterTransport(({ service }) => {
    service(CuOptRemoteService, {
      checkStatus: () => {
        this.onStatus();
        return { resultSizeBytes: this.size, maxMessageBytes: this.maxMessageBytes };
      },
      getResult: () => {
        this.calls.push("whole");
        return this.whole();
      },
      startChunkedDownload: () => {
        this.calls.push("start");
        this.onStart();
        return {
          downloadId: "d",
          header: {
            problemCategory: this.category,
            primalObjective: -0,
            arrays: [{ fieldId: ResultFieldId.RESULT_PRIMAL_SOLUTION, ...this.descriptor }],
          },
          maxMessageBytes: this.maxMessageBytes,
        };
      },
      getResultChunk: (request, { requestHeader, responseHeader }) => {
        this.calls.push(`chunk ${request.elementOffset}+${request.maxElements}`);
        return this.chunk(request, { sent: requestHeader, answered: responseHeader });
      },
      finishChunkedDownload: () => {
        this.calls.push("finish");
        this.onFinish();
        return {};
      },
    });
  });

  fetch(options: ResultOptions = {}, limits: ClientOptions = {}, server = stock) {
    return downloadResult(
      serviceOver(this.transport, limits, () => server),
      "j",
      options,
    );
  }
}

const lpAnswer = () => ({
  status: ResponseStatus.SUCCESS,
  solution: { case: "lpSolution", value: { primalSolution: [...primal], primalObjective: 3 } },
});
const bits = (array: Float64Array | undefined) =>
  array && Buffer.from(array.buffer, array.byteOffset, array.byteLength);
const primalOf = (result: { arrays: ReadonlyMap<ResultFieldId, Float64Array> }) =>
  bits(result.arrays.get(ResultFieldId.RESULT_PRIMAL_SOLUTION));

describe("a result", () => {
  it("comes in one message if it fits", async () => {
    const server = new Results();
    server.whole = lpAnswer;
    const progress: unknown[] = [];
    const result = await server.fetch({ onProgress: (p) => progress.push(p) });
    expect(result.kind).toBe("lp");
    expect(server.calls).toEqual(["whole"]);
    expect(progress).toEqual([{ doneBytes: 56, totalBytes: 56 }]);
  });

  it("comes in slices if it is larger than the server's messages, bit by bit", async () => {
    const server = new Results();
    server.maxMessageBytes = 30n;
    const done: number[] = [];
    const result = await server.fetch({ onProgress: ({ doneBytes }) => done.push(doneBytes) });
    expect(server.calls).toEqual(["start", "chunk 0+3", "chunk 3+3", "chunk 6+1", "finish"]);
    expect(primalOf(result)).toEqual(bits(primal));
    expect(result.kind === "lp" && Object.is(result.scalars.primalObjective, -0)).toBe(true);
    expect(done).toEqual([24, 48, 56]);
  });

  it("G4: comes in slices after all if one message turns out too large, also where the size was not told", async () => {
    const server = new Results();
    server.onStatus = () => {
      throw new ConnectError("not now", Code.Internal);
    };
    expect(primalOf(await server.fetch())).toEqual(bits(primal));
    expect(server.calls.slice(0, 2)).toEqual(["whole", "start"]);
  });

  it("G5: fails with the server's words if slices cannot be had", async () => {
    const server = new Results();
    server.onStart = () => {
      throw new ConnectError("sixteen downloads are open", Code.ResourceExhausted);
    };
    await expect(server.fetch()).rejects.toThrow("sixteen downloads are open");
  });

  it.each([
    [
      "too many elements",
      () => ({ elementsInChunk: 8n, data: new Uint8Array(64) }),
      /element 0: the server sent 8 elements; it was asked for 7/,
    ],
    [
      "a wrong length",
      () => ({ elementsInChunk: 7n, data: bytes.subarray(1) }),
      /sent 55 bytes for 7 elements; 56 are needed/,
    ],
    ["a negative count", () => ({ elementsInChunk: -1n, data: bytes }), /sent -1 elements/],
    ["nothing", () => ({ elementsInChunk: 0n }), /sent 0 elements/],
  ] as [string, () => Chunk, RegExp][])("G16: is refused if a slice has %s", async (_, chunk, message) => {
    const server = new Results();
    server.chunk = chunk;
    const fetched = server.fetch();
    await expect(fetched).rejects.toThrow(TransferFaultError);
    await expect(fetched).rejects.toThrow(message);
    await expect(fetched).rejects.toThrow("result array primal_solution");
    expect(server.calls.at(-1)).toBe("finish");
  });

  it.each([
    ["elements of no size", { totalElements: 7n, elementSizeBytes: 0n }, /elements of 0 bytes/],
    ["a negative length", { totalElements: -1n, elementSizeBytes: 8n }, /announced -1 elements/],
    ["a length that no memory has", { totalElements: 2n ** 60n, elementSizeBytes: 8n }, /no memory/],
  ])("G16: is refused if an array is announced with %s", async (_, descriptor, message) => {
    const server = new Results();
    server.descriptor = descriptor;
    await expect(server.fetch()).rejects.toThrow(message);
  });

  it("G17: is completed where a slice is shorter than asked", async () => {
    const server = new Results();
    server.chunk = (request) =>
      honest({ ...request, maxElements: request.maxElements > 2n ? 2n : request.maxElements });
    expect(primalOf(await server.fetch())).toEqual(bits(primal));
    expect(server.calls).toEqual(["whole", "start", "chunk 0+7", "chunk 2+5", "chunk 4+3", "chunk 6+1", "finish"]);
  });

  it("G18: is there although the server does not let go of the download", async () => {
    const server = new Results();
    server.onFinish = () => {
      throw new ConnectError("no", Code.Internal);
    };
    expect(primalOf(await server.fetch())).toEqual(bits(primal));
  });

  it("J13: is refused if it is of the other kind, whichever way it came", async () => {
    const server = new Results();
    server.whole = lpAnswer;
    await expect(server.fetch({ kind: "mip" })).rejects.toThrow(TransferFaultError);
    const slices = new Results();
    slices.category = ProblemCategory.MIP;
    await expect(slices.fetch({ kind: "lp" })).rejects.toThrow(
      /is that of a mixed-integer program; the job is a linear/,
    );
  });

  it("J14: is refused if the answer is empty", async () => {
    const server = new Results();
    server.whole = () => ({});
    await expect(server.fetch()).rejects.toThrow("holds no solution");
  });

  it("is that of a failed job, with the reason", async () => {
    const server = new Results();
    server.whole = () => ({ status: ResponseStatus.ERROR_SOLVE_FAILED, errorMessage: "out of memory" });
    const fetched = server.fetch();
    await expect(fetched).rejects.toThrow(JobEndedError);
    await expect(fetched).rejects.toThrow("out of memory");
  });

  it("is asked for again by helpers after a passing fault, but only from Sortie", async () => {
    for (const [info, succeeds] of [
      [sortie, true],
      [stock, false],
    ] as const) {
      const server = new Results();
      let failures = 0;
      server.chunk = (request) => {
        failures += 1;
        if (failures === 1) throw new ConnectError("gone", Code.Unavailable);
        return honest(request);
      };
      const fetched = server.fetch({ repeat: true }, {}, info);
      if (succeeds) expect(primalOf(await fetched)).toEqual(bits(primal));
      else await expect(fetched).rejects.toThrow(RemoteError);
    }
  });
});

describe("the transfer hash of a result", () => {
  const digestOf = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

  it("is asked for with every slice, and compared", async () => {
    const server = new Results();
    const asked: (string | null)[] = [];
    server.chunk = (request, { sent, answered }) => {
      asked.push(sent.get("sortie-want-chunk-sha256"));
      const chunk = honest(request);
      answered.set("sortie-chunk-sha256", digestOf(chunk.data as Uint8Array));
      return chunk;
    };
    expect(primalOf(await server.fetch({}, { transferHash: true }, sortie))).toEqual(bits(primal));
    expect(asked).toEqual(["1"]);
    expect(server.calls).not.toContain("whole");
  });

  it("refuses a slice that came altered; helpers ask for it again first", async () => {
    const server = new Results();
    let slices = 0;
    server.chunk = (request, { answered }) => {
      slices += 1;
      const chunk = honest(request);
      answered.set(
        "sortie-chunk-sha256",
        slices === 1 ? digestOf(new Uint8Array(8)) : digestOf(chunk.data as Uint8Array),
      );
      return chunk;
    };
    await expect(server.fetch({}, { transferHash: true }, sortie)).rejects.toThrow(
      /result array primal_solution, element 0: the server sent 56 bytes that are not those of its digest/,
    );
    slices = 0;
    expect(primalOf(await server.fetch({ repeat: true }, { transferHash: true }, sortie))).toEqual(bits(primal));
  });
});
