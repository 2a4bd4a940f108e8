// Rules of transfers by links: faults say their call or their link, and nothing waits for ever.
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { ArrayFieldId, TransferService, UploadState } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { RemoteError } from "./errors.ts";
import { type LinkTransferOptions, LinkTransfers, TransferError } from "./link-transfers.ts";
import { problemMessage } from "./problem.ts";
import { never, scripted } from "./testing/scripted.ts";

const problem = problemMessage({ objective: [1, 2] }, { kind: "lp" });
const C = ArrayFieldId.FIELD_C;

/** An upload whose only array goes in one part. */
const upload: Partial<ServiceImpl<typeof TransferService>> = {
  getUploadState: () => ({
    state: UploadState.OPEN,
    totalBytes: 16n,
    arrays: [{ name: "c", fieldId: C, elements: 2n, parts: [{ elements: 2n, bytes: 16n }] }],
  }),
  getUploadLinks: () => ({ links: [{ array: "c", bytes: 16n, link: { url: "https://store.example/c" } }] }),
};

function transfers(answers: Partial<ServiceImpl<typeof TransferService>>, options: LinkTransferOptions = {}) {
  const { transport, calls } = scripted({}, { routes: (router) => router.service(TransferService, answers) });
  return { client: new LinkTransfers(transport, options), calls };
}

/** A store with these answers to its requests, one after the other. */
function store(...answers: ((signal: AbortSignal) => Promise<Response>)[]) {
  const requests: string[] = [];
  return {
    requests,
    fetch: async (url: unknown, { method = "GET", signal }: RequestInit = {}) => {
      requests.push(`${method} ${url}`);
      return await (answers[requests.length - 1] as (typeof answers)[number])(signal as AbortSignal);
    },
  };
}
const answer =
  (status: number, text = "") =>
  async () =>
    new Response(text, { status });
/** What hangs until the client has enough of it. */
const silence = (signal: AbortSignal) =>
  new Promise<Response>((_, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave);
  });

describe("a call", () => {
  it("that the server refuses says which call it was, and why", async () => {
    const { client } = transfers({
      getResultLinks: () => {
        throw new ConnectError("Job not found", Code.NotFound);
      },
    });
    const fault = await client.result("j").catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(RemoteError);
    expect(fault).toMatchObject({ code: "not-found", method: "GetResultLinks", text: "Job not found" });
  });

  it("has a deadline", async () => {
    const { client } = transfers({ createUpload: never }, { callTimeoutMs: 20 });
    await expect(client.create(problem)).rejects.toMatchObject({ code: "deadline-exceeded", method: "CreateUpload" });
  });
});

describe("a request of a link", () => {
  it("that is not answered in time is made again", async () => {
    const { fetch, requests } = store(silence, answer(200));
    const { client } = transfers(upload, { callTimeoutMs: 1000, fetch });
    await client.send("u", problem);
    expect(requests).toEqual(Array(2).fill("PUT https://store.example/c"));
  });

  it("whose answer breaks off is made again", async () => {
    const broken = async () => new Response(new ReadableStream({ start: (body) => body.error(new Error("cut")) }));
    const { fetch, requests } = store(broken, answer(503), answer(200));
    await transfers(upload, { fetch }).client.send("u", problem);
    expect(requests).toHaveLength(3);
  });

  it("that is refused says so, and is not made again", async () => {
    const { fetch, requests } = store(answer(400, "wrong digest"));
    const fault = await transfers(upload, { fetch })
      .client.send("u", problem)
      .catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(TransferError);
    expect(fault).toMatchObject({ status: 400, message: expect.stringContaining("400 wrong digest") });
    expect(requests).toHaveLength(1);
  });

  it("that has expired is replaced by a fresh one, and one for what has arrived before is done", async () => {
    const { fetch } = store(answer(403, "expired"), answer(412));
    const { client, calls } = transfers(upload, { fetch });
    await client.send("u", problem);
    expect(calls).toEqual(["GetUploadState", "GetUploadLinks", "GetUploadLinks"]);
  });

  it("ends with the caller's signal and its reason", async () => {
    const left = new AbortController();
    const reason = new Error("enough");
    const { fetch } = store((signal) => {
      left.abort(reason);
      return silence(signal);
    });
    await expect(transfers(upload, { fetch }).client.send("u", problem, { signal: left.signal })).rejects.toBe(reason);
  });
});
