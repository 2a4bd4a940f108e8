// Direct transfers: what a client asks in order to move the bytes of a problem or a result by signed links, past the host
// that answers its calls.
import { forEachAtOnce } from "./at-once.ts";
import type { Caller, Context } from "./context.ts";
import { DomainError } from "./errors.ts";
import type { Job } from "./job.ts";
import { requireJob } from "./jobs.ts";
import { partBlob, uploadKey } from "./keys.ts";
import { declaredArrays, type Part, partAt, partBytesOf, partsOf, readReceived, settleDigest } from "./parts.ts";
import { BLOCK_BYTES, type BlobLinks, type BlobRef, type CallOptions, type Row, type SignedLink } from "./ports.ts";
import { freeUploadPlace, openRow, removeUpload, touchUpload, unknownUpload, uploadEnd } from "./uploads.ts";

const DEFAULT_LINK_SECONDS = 3600;
/** Links of Lambda functions die with the credentials that signed them, after twelve hours at the most. */
const LONGEST_LINK_SECONDS = 43_200;
/** Links that one answer holds: each may have some kilobytes. */
export const MOST_LINKS = 500;
const ROWS_AT_ONCE = 16;

/** A stretch of an array, in elements. */
export interface ElementRange {
  readonly elementOffset: number;
  readonly elements: number;
}

export interface ArrayState {
  readonly name: string;
  readonly elementBytes: number;
  readonly elements: number;
  readonly receivedElements: number;
  /** Empty for an upload that takes no parts. */
  readonly parts: readonly (Part & { readonly received: boolean })[];
  /** By offset; touching stretches are one. */
  readonly received: readonly ElementRange[];
}

export type UploadState =
  | { readonly state: "submitted"; readonly jobId: string }
  | {
      readonly state: "open";
      readonly arrays: readonly ArrayState[];
      /** When it is forgotten unless something is asked of it, ms since 1970. */
      readonly expiresAt: number;
    };

/** What has arrived of an upload, whichever way. @throws DomainError "upload-unknown" */
export async function uploadState(
  context: Context,
  caller: Caller,
  uploadId: string,
  options?: CallOptions,
): Promise<UploadState> {
  const row = await context.table.get(uploadKey(uploadId), options);
  if (row?.attributes["tenant"] === caller.tenant && row.attributes["state"] === "finished") {
    return { state: "submitted", jobId: String(row.attributes["jobId"]) };
  }
  const open = await openRow(context, caller, uploadId, options);
  const { pieces } = await readReceived(context, uploadId, open, options);
  const partBytes = partBytesOf(open);
  const arrays = declaredArrays(open).map((array): ArrayState => {
    const received = merged(pieces.filter((piece) => piece.array === array.name));
    const parts = partBytes === undefined ? [] : partsOf(array, partBytes);
    return {
      ...array,
      received,
      receivedElements: received.reduce((sum, { elements }) => sum + elements, 0),
      parts: withReceived(parts, received),
    };
  });
  return { state: "open", arrays, expiresAt: uploadEnd(context, open) };
}

/** @param ranges by offset */
function merged(ranges: readonly ElementRange[]): ElementRange[] {
  const result: { elementOffset: number; elements: number }[] = [];
  for (const { elementOffset, elements } of ranges) {
    const last = result.at(-1);
    if (last && elementOffset <= last.elementOffset + last.elements) {
      last.elements = Math.max(last.elements, elementOffset + elements - last.elementOffset);
    } else {
      result.push({ elementOffset, elements });
    }
  }
  return result;
}

/** Both by offset, the ranges apart from each other. */
function withReceived(parts: readonly Part[], ranges: readonly ElementRange[]) {
  let at = 0;
  return parts.map((part) => {
    const end = part.elementOffset + part.elements;
    const range = () => ranges[at];
    for (let next = range(); next && next.elementOffset + next.elements < end; next = range()) at += 1;
    const covering = range();
    return { ...part, received: covering !== undefined && covering.elementOffset <= part.elementOffset };
  });
}

export interface PartToSend {
  readonly array: string;
  readonly elementOffset: number;
  /** Lower-case hex; the store takes no other bytes. */
  readonly sha256?: string | undefined;
}

export interface PartLink {
  readonly array: string;
  readonly elementOffset: number;
  readonly bytes: number;
  readonly link: SignedLink;
}

/**
 * Links that parts of an open upload can be sent with.
 * @param seconds how long they work; 0: an hour
 * @throws DomainError "upload-unknown"; "invalid-argument" naming the array and element; "feature-unsupported"
 */
export async function uploadLinks(
  context: Context,
  caller: Caller,
  uploadId: string,
  parts: readonly PartToSend[],
  seconds: number,
  options?: CallOptions,
): Promise<{ readonly links: readonly PartLink[]; readonly expiresAt: number }> {
  const row = await openRow(context, caller, uploadId, options);
  const links = linksOf(context);
  const expiresAt = linkExpiry(context, seconds);
  checkCount("parts", parts.length, 1);
  const wanted = parts.map((part) => ({ ...placeOf(row, part), sha256: part.sha256 ?? "" }));
  await forEachAtOnce(wanted, ROWS_AT_ONCE, options?.signal, async ({ array, elementOffset, sha256 }, signal) => {
    const settled = await settleDigest(context, uploadId, array, elementOffset, sha256, { signal });
    if (settled !== sha256) throw otherDigest(array, elementOffset, sha256, settled);
  });
  await extendLinks(context, uploadId, expiresAt);
  const signed = await Promise.all(
    wanted.map(async ({ array, elementOffset, bytes, sha256 }) => ({
      array,
      elementOffset,
      bytes,
      link: await links.signPut(partBlob(uploadId, array, elementOffset), bytes, expiresAt, sha256 || undefined),
    })),
  );
  return { links: signed, expiresAt };
}

/** @throws DomainError "feature-unsupported" */
function linksOf(context: Context): BlobLinks {
  if (context.blobs.links) return context.blobs.links;
  throw new DomainError(
    "feature-unsupported",
    "The store of this server gives out no links; use SendArrayChunk and GetResultChunk",
  );
}

function linkExpiry(context: Context, seconds: number): number {
  if (seconds < 0) {
    throw new DomainError("invalid-argument", `expiry_seconds is ${seconds}; 0 to ${LONGEST_LINK_SECONDS} is allowed`);
  }
  return context.clock.now() + 1000 * Math.min(seconds || DEFAULT_LINK_SECONDS, LONGEST_LINK_SECONDS);
}

function checkCount(field: string, count: number, least: number): void {
  if (count >= least && count <= MOST_LINKS) return;
  throw new DomainError("invalid-argument", `${field}: ${count} found; ${least} to ${MOST_LINKS} are allowed`);
}

function placeOf(row: Row, { array: name, elementOffset }: PartToSend): Part & { readonly array: string } {
  const wrong = (text: string) => new DomainError("invalid-argument", text);
  const partBytes = partBytesOf(row);
  if (partBytes === undefined) {
    throw wrong("This upload was opened by StartChunkedUpload and has no parts; use SendArrayChunk, or CreateUpload");
  }
  const array = declaredArrays(row).find((each) => each.name === name);
  if (!array) throw wrong(`array ${name} was not declared in CreateUpload`);
  const part = partAt(array, partBytes, elementOffset);
  if (part) return { ...part, array: name };
  const step = Math.floor(partBytes / array.elementBytes);
  throw wrong(
    `array ${name}: no part begins at element ${elementOffset}; parts begin at multiples of ${step} below ${array.elements}`,
  );
}

function otherDigest(array: string, offset: number, sha256: string, settled: string): DomainError {
  const named = (digest: string) => (digest === "" ? "no digest" : `sha256 ${digest}`);
  return new DomainError(
    "invalid-argument",
    `array ${array}: a link to the part at element ${offset} was asked for before with ${named(settled)}, now with ${named(sha256)}; ` +
      "ask as before, or start another upload",
  );
}

/** Written down before a link is signed, so that nothing which it brings is left behind. */
async function extendLinks(context: Context, uploadId: string, expiresAt: number): Promise<void> {
  const open = { kind: "equals", name: "state", value: "open" } as const;
  const written = await context.table.write(
    uploadKey(uploadId),
    { set: { usedAt: context.clock.now(), linksUntil: expiresAt } },
    [open, { kind: "less-than", name: "linksUntil", value: expiresAt }],
  );
  if (written.ok) return;
  const state = written.row?.attributes["state"];
  // Another link lasts longer.
  if (state === "open") return touchUpload(context, uploadId);
  if (state === "finishing") {
    throw new DomainError("wrong-state", "Upload is being submitted: no more links are given out");
  }
  throw unknownUpload();
}

/**
 * Gives up an open upload and deletes what it holds.
 * @throws DomainError "upload-unknown" (also when it was submitted); "wrong-state" while it is being submitted
 */
export async function abortUpload(context: Context, caller: Caller, uploadId: string): Promise<void> {
  await openRow(context, caller, uploadId);
  const written = await context.table.write(uploadKey(uploadId), { set: { state: "expired" } }, [
    { kind: "equals", name: "state", value: "open" },
  ]);
  if (!written.ok) {
    if (written.row?.attributes["state"] !== "finishing") throw unknownUpload();
    throw new DomainError("wrong-state", "Upload is being submitted: cancel or delete its job instead");
  }
  await freeUploadPlace(context, written.row);
  await removeUpload(context, uploadId);
}

/** A stretch of one of a result's blobs. */
export interface ResultPart {
  /** Number of the blob. */
  readonly blob: number;
  readonly offset: number;
  readonly length: number;
  /** Of these bytes, lower-case hex. */
  readonly sha256: string;
  readonly link: SignedLink;
}

/**
 * Links to the result of a completed job: one for each block of its blobs, whose digests are known.
 * @param from number of the first part that is wanted
 * @param limit largest number of parts; 0: as many as there may be
 * @throws DomainError "job-unknown", "wrong-state" (not completed), "invalid-argument", "feature-unsupported"
 */
export async function resultLinks(
  context: Context,
  caller: Caller,
  jobId: string,
  from: number,
  limit: number,
  seconds: number,
  options?: CallOptions,
): Promise<{
  readonly job: Job;
  readonly blobs: readonly BlobRef[];
  readonly parts: readonly ResultPart[];
  readonly expiresAt: number;
  /** Number of the first part after these; undefined if there is none. */
  readonly next?: number | undefined;
}> {
  const job = await requireJob(context, caller, jobId, options);
  if (job.state !== "completed") {
    throw new DomainError(
      "wrong-state",
      `Result not ready: the job is ${job.state}, only a completed job has a result`,
    );
  }
  const links = linksOf(context);
  const expiresAt = linkExpiry(context, seconds);
  checkCount("page_size", limit, 0);
  const blobs = [...new Map((job.result?.arrays ?? []).map(({ blob }) => [blob.key, blob])).values()];
  const blocks = blobs.flatMap(({ bytes, digests }, blob) =>
    digests.map((sha256, i) => {
      const offset = i * BLOCK_BYTES;
      return { blob, offset, length: Math.min(BLOCK_BYTES, bytes - offset), sha256 };
    }),
  );
  const end = from + (limit || MOST_LINKS);
  const parts = await Promise.all(
    blocks.slice(from, end).map(async (block) => {
      const { key } = blobs[block.blob] as BlobRef;
      return { ...block, link: await links.signGet(key, { offset: block.offset, length: block.length }, expiresAt) };
    }),
  );
  return { job, blobs, parts, expiresAt, next: end < blocks.length ? end : undefined };
}
