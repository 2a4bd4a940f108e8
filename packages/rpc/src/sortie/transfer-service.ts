// sortie.v1.TransferService: problems and results by signed links.
import { createHash } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ArrayState,
  abortUpload,
  type Context,
  type SignedLink as CoreLink,
  type DeclaredArray,
  DomainError,
  MOST_PARTS,
  PART_BYTES,
  partsOf,
  resultLinks,
  startUpload,
  uploadLinks,
  uploadState,
} from "@sortie/core";
import {
  type ArrayFieldId,
  type CreateUploadRequest,
  CreateUploadRequestSchema,
  ElementType,
  elementTypeOfDType,
  type GetResultLinksRequest,
  type GetUploadLinksRequest,
  type SignedLinkSchema,
  StartChunkedUploadRequestSchema,
  type UploadArraySchema,
  UploadState,
} from "@sortie/wire";
import { ARRAY_FIELDS, type ArrayField, fieldOfName, RESULT_LABELS } from "../cuopt/array-fields.ts";
import {
  type Call,
  type CuOptHandlers,
  type CuOptOptions,
  downloadHeader,
  readHeader,
  storeHeaderNames,
} from "../cuopt/handlers.ts";

const ELEMENT_TYPE = {
  float64: ElementType.FLOAT64,
  int32: ElementType.INT32,
  uint8: ElementType.UINT8,
} as const satisfies Record<ArrayField["element"], ElementType>;

const SHA256_BYTES = 32;

const wrong = (text: string): DomainError => new DomainError("invalid-argument", text);

export function createTransferHandlers(
  context: Context,
  options: CuOptOptions,
  cuopt: Pick<CuOptHandlers, "finishChunkedUpload">,
) {
  return {
    async createUpload(request: CreateUploadRequest, call: Call) {
      const { problemHeader } = request;
      const { header, kept } = readHeader(
        toBinary(
          StartChunkedUploadRequestSchema,
          create(StartChunkedUploadRequestSchema, problemHeader ? { problemHeader } : {}),
        ),
      );
      const partBytes = readPartBytes(request.partBytes);
      const arrays = declaredArrays(request);
      const parts = arrays.reduce((sum, array) => sum + partCount(array, partBytes), 0);
      if (parts > MOST_PARTS) {
        throw wrong(`part_bytes is ${partBytes}: the arrays have ${parts} parts, at most ${MOST_PARTS} are allowed`);
      }
      const idempotency = call.idempotencyKey === undefined ? undefined : bodyOf(request, call.idempotencyKey);
      const uploadId = await startUpload(context, call.caller, kept, { arrays, partBytes, idempotency });
      await storeHeaderNames(context, call, uploadId, header);
      return {
        uploadId,
        arrays: arrays.map((array) =>
          arrayMessage({
            ...array,
            receivedElements: 0,
            received: [],
            parts: partsOf(array, partBytes).map((part) => ({ ...part, received: false })),
          }),
        ),
        maxMessageBytes: BigInt(options.maxMessageBytes),
      };
    },

    async getUploadLinks(request: GetUploadLinksRequest, call: Call) {
      const parts = request.parts.map(({ array, fieldId, elementOffset, sha256 }) => {
        const { wireName } = fieldOf(array, fieldId);
        if (sha256.byteLength !== 0 && sha256.byteLength !== SHA256_BYTES) {
          throw wrong(`array ${wireName}: sha256 has ${sha256.byteLength} bytes; ${SHA256_BYTES} or none are allowed`);
        }
        const digest = sha256.byteLength === 0 ? undefined : Buffer.from(sha256).toString("hex");
        return { array: wireName, elementOffset: Number(elementOffset), sha256: digest };
      });
      const { uploadId, expirySeconds } = request;
      const { links, expiresAt } = await uploadLinks(context, call.caller, uploadId, parts, expirySeconds, call);
      return {
        links: links.map(({ array, elementOffset, bytes, link }) => ({
          array,
          elementOffset: BigInt(elementOffset),
          bytes: BigInt(bytes),
          link: linkMessage(link, expiresAt, call),
        })),
      };
    },

    async getUploadState(request: { uploadId: string }, call: Call) {
      const found = await uploadState(context, call.caller, request.uploadId, call);
      if (found.state === "submitted") return { state: UploadState.SUBMITTED, jobId: found.jobId };
      const arrays = found.arrays.filter(({ name }) => fieldOfName.has(name));
      const bytes = (elements: (array: ArrayState) => number) =>
        BigInt(arrays.reduce((sum, array) => sum + elements(array) * array.elementBytes, 0));
      return {
        state: UploadState.OPEN,
        arrays: arrays.map(arrayMessage),
        receivedBytes: bytes((array) => array.receivedElements),
        totalBytes: bytes((array) => array.elements),
        expiresAt: timestampFromMs(found.expiresAt),
      };
    },

    async submitUpload(request: { uploadId: string }, call: Call) {
      const { jobId } = await cuopt.finishChunkedUpload(request, call);
      return { jobId };
    },

    async abortUpload(request: { uploadId: string }, call: Call) {
      await abortUpload(context, call.caller, request.uploadId);
      return {};
    },

    async getResultLinks(request: GetResultLinksRequest, call: Call) {
      const { jobId, pageSize, pageToken, expirySeconds } = request;
      if (!/^\d{0,9}$/.test(pageToken)) throw wrong("page_token is none that this server has given out");
      const from = Number(pageToken);
      const found = await resultLinks(context, call.caller, jobId, from, pageSize, expirySeconds, call);
      const { job, blobs, parts, expiresAt, next } = found;
      return {
        header: downloadHeader(job),
        arrays: (job.result?.arrays ?? []).map(({ name, count, blob, byteOffset, dtype }) => ({
          // Outputs of inferences have names only.
          fieldId: /^\d+$/.test(name) ? Number(name) : 0,
          name: RESULT_LABELS[Number(name)] ?? name,
          // What solutions are made of.
          elementType: dtype === undefined ? ElementType.FLOAT64 : elementTypeOfDType(dtype),
          elements: BigInt(count),
          blob: blobs.findIndex(({ key }) => key === blob.key),
          byteOffset: BigInt(byteOffset),
        })),
        parts: parts.map(({ blob, offset, length, sha256, link }) => ({
          blob,
          byteOffset: BigInt(offset),
          bytes: BigInt(length),
          sha256: Buffer.from(sha256, "hex"),
          link: linkMessage(link, expiresAt, call),
        })),
        nextPageToken: next === undefined ? "" : String(next),
      };
    },
  };
}

function readPartBytes(asked: bigint): number {
  if (asked === 0n) return PART_BYTES.largest;
  if (asked % 8n === 0n && asked >= PART_BYTES.smallest && asked <= PART_BYTES.largest) return Number(asked);
  throw wrong(
    `part_bytes is ${asked}; a multiple of 8 from ${PART_BYTES.smallest} to ${PART_BYTES.largest} is allowed, or 0`,
  );
}

const partCount = ({ elements, elementBytes }: DeclaredArray, partBytes: number): number =>
  Math.ceil((elements * elementBytes) / partBytes);

function declaredArrays(request: CreateUploadRequest): DeclaredArray[] {
  const seen = new Set<string>();
  const declared = request.arrays.map(({ name, fieldId, elementType, elements }) => {
    const { wireName, element, elementBytes } = fieldOf(name, fieldId);
    if (seen.has(wireName)) throw wrong(`array ${wireName} is declared twice`);
    seen.add(wireName);
    if (elementType !== ElementType.UNSPECIFIED && elementType !== ELEMENT_TYPE[element]) {
      throw wrong(
        `array ${wireName}: element_type is ${ElementType[elementType] ?? elementType}; ${element} is needed`,
      );
    }
    if (elements < 0n) throw wrong(`array ${wireName}: elements must be non-negative, found ${elements}`);
    return { name: wireName, elementBytes, elements: Number(elements) };
  });
  return declared.filter(({ elements }) => elements > 0);
}

/** The array that a client names, by name or number. */
function fieldOf(name: string, fieldId: ArrayFieldId | undefined): ArrayField {
  if (name === "" && fieldId === undefined) throw wrong("an array is named neither by its name nor by its field_id");
  const field = name === "" ? ARRAY_FIELDS[fieldId ?? 0] : fieldOfName.get(name);
  if (!field) throw wrong(`array ${name || `field_id ${fieldId}`} is none that a problem has`);
  if (fieldId !== undefined && field.id !== fieldId) {
    throw wrong(`array ${name} has field_id ${field.id}, found ${fieldId}; one of the two is enough`);
  }
  return field;
}

function bodyOf(request: CreateUploadRequest, key: string) {
  const bodyDigest = createHash("sha256").update(toBinary(CreateUploadRequestSchema, request)).digest("hex");
  return { key, bodyDigest };
}

function arrayMessage(array: ArrayState): MessageInitShape<typeof UploadArraySchema> {
  const { id, element } = fieldOfName.get(array.name) as ArrayField;
  return {
    name: array.name,
    fieldId: id,
    elementType: ELEMENT_TYPE[element],
    elements: BigInt(array.elements),
    receivedElements: BigInt(array.receivedElements),
    parts: array.parts.map(({ elementOffset, elements, bytes, received }) => ({
      elementOffset: BigInt(elementOffset),
      elements: BigInt(elements),
      bytes: BigInt(bytes),
      received,
    })),
    received: array.received.map(({ elementOffset, elements }) => ({
      elementOffset: BigInt(elementOffset),
      elements: BigInt(elements),
    })),
  };
}

function linkMessage(link: CoreLink, expiresAt: number, call: Call): MessageInitShape<typeof SignedLinkSchema> {
  const { method, url, headers } = link;
  return {
    method,
    url: new URL(url, call.baseUrl).href,
    headers: { ...headers },
    expiresAt: timestampFromMs(expiresAt),
  };
}
