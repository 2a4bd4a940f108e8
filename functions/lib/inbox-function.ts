// The inbox in a bucket: inbox/TENANT/… becomes jobs of that tenant, whose answers go to outbox/TENANT/…. Notices of objects
// and of jobs come at least once and in any order; one object makes one job, and answers may be written again.
import { type Context, checkTenant, DomainError, type JobEvent, type JobEventBody } from "@sortie/core";
import { type InboxFile, type InboxStore, inboxName, submitFile, writeRefusal, writeResults } from "@sortie/inbox";
import type { S3Files } from "@sortie/platform-aws";
import type { BusEvent } from "./lambda.ts";
import type { Log } from "./log.ts";

const INBOX = "inbox/";
const OUTBOX = "outbox/";

/** A model takes about so many times the size of its text while it is read and stored. */
const MEMORY_PER_BYTE = 4;
/** How much larger the text of a compressed model is thought to be. */
const EXPANSION = 8;

/** What a bucket tells a function of its objects. https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
export interface ObjectEvent {
  readonly Records: readonly {
    readonly eventName: string;
    readonly s3: {
      readonly object: {
        /** Encoded as in a form: blanks are plus signs. */
        readonly key: string;
        readonly size?: number | undefined;
        readonly eTag?: string | undefined;
        readonly versionId?: string | undefined;
        readonly sequencer?: string | undefined;
      };
    };
  }[];
}

/** The same from the bus. https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html */
interface ObjectDetail {
  readonly object: {
    /** As it is. */
    readonly key: string;
    readonly size?: number | undefined;
    readonly etag?: string | undefined;
    readonly "version-id"?: string | undefined;
    readonly sequencer?: string | undefined;
  };
}

export interface InboxFunctionOptions {
  readonly context: Context;
  readonly files: Pick<S3Files, "read" | "write" | "remove">;
  /** What this function may use; how large a model may be follows from it. */
  readonly memoryBytes: number;
  readonly log: Log;
}

export type InboxFunction = (event: ObjectEvent | BusEvent | Readonly<Record<string, unknown>>) => Promise<void>;

/** Rejects where something else than the file failed, so that the notice comes again. */
export function createInboxFunction({ context, files, memoryBytes, log }: InboxFunctionOptions): InboxFunction {
  const store = storeIn(files);

  async function take(file: InboxFile): Promise<void> {
    const { kind } = inboxName(file.path);
    if (kind !== "model" && kind !== "foreign") return;
    const tenant = file.path.slice(0, Math.max(0, file.path.indexOf("/")));
    try {
      if (tenant === "")
        throw new DomainError("invalid-argument", "models go to inbox/TENANT/, this one names no tenant");
      checkTenant(tenant);
    } catch (error) {
      await writeRefusal(store, file.path, (error as Error).message, new Date(context.clock.now()));
      return;
    }
    const maxBytes = Math.floor(memoryBytes / MEMORY_PER_BYTE / (/\.gz$/i.test(file.path) ? EXPANSION : 1));
    const taken = await submitFile(context, store, { tenant }, file, { maxBytes });
    log.info({ file: file.path, tenant, ...taken }, "a file of the inbox was taken");
  }

  return async (event) => {
    const faults: unknown[] = [];
    for (const file of filesOf(event)) {
      try {
        await take(file);
      } catch (error) {
        // The others of this notice are not held up.
        log.error({ file: file.path, err: error }, "a file of the inbox could not be taken");
        faults.push(error);
      }
    }
    if (isJobEvent(event)) {
      const { type, jobId, tenant } = event.detail;
      const written = await writeResults(context, store, { type, jobId, tenant, detail: event.detail });
      if (written) log.info({ jobId, tenant, file: event.detail.inboxFile }, "the answer of a job was written");
    }
    if (faults.length > 0) throw faults[0];
  };
}

/** The objects under inbox/ that this event is about. */
function filesOf(event: object): InboxFile[] {
  const found: { key: string; bytes: number; version: string }[] = [];
  if ("Records" in event) {
    for (const { eventName, s3 } of (event as ObjectEvent).Records) {
      if (!eventName.startsWith("ObjectCreated:")) continue;
      const { key, size = 0, versionId, sequencer, eTag } = s3.object;
      const version = versionId ?? sequencer ?? eTag ?? "";
      found.push({ key: decodeURIComponent(key.replaceAll("+", " ")), bytes: size, version });
    }
  } else if ("detail-type" in event && event["detail-type"] === "Object Created") {
    const { object } = (event as unknown as { readonly detail: ObjectDetail }).detail;
    const version = object["version-id"] ?? object.sequencer ?? object.etag ?? "";
    found.push({ key: object.key, bytes: object.size ?? 0, version });
  }
  return found
    .filter(({ key }) => key.startsWith(INBOX))
    .map(({ key, bytes, version }) => ({ path: key.slice(INBOX.length), bytes, version }));
}

function isJobEvent(event: object): event is { readonly detail: JobEventBody } {
  const { source, "detail-type": type } = event as { source?: unknown; "detail-type"?: unknown };
  return source === "sortie" && String(type satisfies unknown as JobEvent["type"]).startsWith("Job ");
}

const CONTENT_TYPE: Readonly<Record<string, string>> = { json: "application/json" };

function storeIn(files: Pick<S3Files, "read" | "write" | "remove">): InboxStore {
  return {
    readInbox: (path, options) => files.read(`${INBOX}${path}`, options),
    async writeOutbox(path, content, options) {
      const parts: Uint8Array[] = [];
      for await (const part of content) parts.push(typeof part === "string" ? Buffer.from(part) : part);
      const type = CONTENT_TYPE[path.slice(path.lastIndexOf(".") + 1)] ?? "text/plain; charset=utf-8";
      await files.write(`${OUTBOX}${path}`, Buffer.concat(parts), type, options);
    },
    removeOutbox: (path, options) => files.remove(`${OUTBOX}${path}`, options),
  };
}
