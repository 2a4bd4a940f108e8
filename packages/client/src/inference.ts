// Inferences as jobs: inputs go in chunks, outputs come in chunks; waiting, cancelling and deleting are SortieClient's.
import type { Transport } from "@connectrpc/connect";
import { dtypeOfElementType, elementTypeOfDType } from "@sortie/wire";
import { type CallOptions, call, type Service, serviceOver, type TransferProgress } from "./context.ts";
import { TransferFaultError } from "./errors.ts";
import { type InFlight, inParallel } from "./in-parallel.ts";
import type { ClientOptions } from "./limits.ts";

/** An array that is sent: little-endian elements in row-major order, under the name of a port. */
export interface InputArray {
  readonly name: string;
  /** "float32", "uint16", … */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface InferenceRequest {
  readonly sessionId: string;
  readonly inputs: readonly InputArray[];
  /** Inputs that lie in files of the server, by port. */
  readonly files?: Readonly<Record<string, { readonly path: string; readonly variable?: string }>> | undefined;
  /** "node.port" or "port"; absent: all. */
  readonly outputs?: readonly string[] | undefined;
}

export interface InferenceOutput {
  /** "node.port"; "node.port/N" for a picture. */
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** "image/png" where the bytes are a file, else empty. */
  readonly mediaType: string;
  readonly caption: string;
}

export interface InferenceOutputs {
  readonly arrays: readonly InferenceOutput[];
  readonly numbers: Readonly<Record<string, number>>;
  /** As JSON. */
  readonly values: Readonly<Record<string, string>>;
}

/** Faults of its calls are RemoteErrors; every call has its deadline by itself. Nothing is repeated. */
export class InferenceClient {
  readonly #service: Service;

  constructor(transport: Transport, options: Omit<ClientOptions, "address" | "dispose"> = {}) {
    this.#service = serviceOver(transport, options);
  }

  /** Uploads the inputs and submits the inference. @returns the job's id  @throws RemoteError */
  async submit(
    request: InferenceRequest,
    options: CallOptions & { readonly onProgress?: ((progress: TransferProgress) => void) | undefined } = {},
  ): Promise<string> {
    const { sessionId, inputs, files = {}, outputs = [] } = request;
    const uploadId = inputs.length === 0 ? "" : await this.#upload(inputs, options);
    const uploaded = inputs.map(({ name, dtype, shape }) => ({
      name,
      elementType: elementTypeOfDType(dtype),
      shape: shape.map(BigInt),
    }));
    const named = Object.entries(files).map(([name, { path, variable = "" }]) => ({
      name,
      source: { case: "file" as const, value: { path, variable } },
    }));
    const { jobId } = await this.#service.inference.submitInference(
      { sessionId, uploadId, inputs: [...uploaded, ...named], outputs: [...outputs] },
      call(options),
    );
    return jobId;
  }

  async #upload(
    inputs: readonly InputArray[],
    options: CallOptions & { readonly onProgress?: ((progress: TransferProgress) => void) | undefined },
  ): Promise<string> {
    const { uploadId, maxMessageBytes } = await this.#service.inference.startInputUpload({}, call(options));
    const step = this.#budget(maxMessageBytes);
    const totalBytes = inputs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    let doneBytes = 0;
    await inParallel(
      chunksOf(inputs, step),
      this.#inFlight(options, ({ data }) => data.byteLength),
      async ({ input, offset, total, data }, signal) => {
        const chunk = { uploadId, input, byteOffset: BigInt(offset), totalBytes: BigInt(total), data };
        await this.#service.inference.sendInputChunk(chunk, call({ signal }));
        doneBytes += data.byteLength;
        options.onProgress?.({ doneBytes, totalBytes });
      },
    );
    return uploadId;
  }

  /** Bytes of array data that fit one message: a tenth is left for the rest of it. Whole elements of every type. */
  #budget(maxMessageBytes: bigint): number {
    const budget = this.#service.limits.chunkBytesFor(maxMessageBytes);
    return Math.max(8, budget - (budget % 8));
  }

  #inFlight<T>({ signal }: CallOptions, bytesOf: (item: T) => number): InFlight<T> {
    const { parallelChunks, bytesInFlight } = this.#service.limits;
    return { width: parallelChunks, bytes: bytesInFlight, bytesOf, signal };
  }

  /** All outputs of a completed job. @throws RemoteError; TransferFaultError for an answer that contradicts itself */
  async outputs(jobId: string, options: CallOptions = {}): Promise<InferenceOutputs> {
    const { downloadId, result, maxMessageBytes } = await this.#service.inference.startOutputDownload(
      { jobId },
      call(options),
    );
    const step = this.#budget(maxMessageBytes);
    const arrays = (result?.arrays ?? []).map(({ name, elementType, shape, bytes, mediaType, caption }) => ({
      name,
      dtype: dtypeOfElementType(elementType) ?? "uint8",
      shape: shape.map(Number),
      bytes: new Uint8Array(Number(bytes)),
      mediaType,
      caption,
    }));
    await inParallel(
      slicesOf(arrays, step),
      this.#inFlight(options, ({ length }) => length),
      async ({ array, offset, length }, signal) => {
        for (let at = offset; at < offset + length; ) {
          const maxBytes = BigInt(offset + length - at);
          const { data } = await this.#service.inference.getOutputChunk(
            { downloadId, output: array.name, byteOffset: BigInt(at), maxBytes },
            call({ signal }),
          );
          if (data.byteLength === 0 || data.byteLength > maxBytes) {
            throw new TransferFaultError(
              `the server sent ${data.byteLength} bytes of output ${array.name}, asked for ${maxBytes}`,
            );
          }
          array.bytes.set(data, at);
          at += data.byteLength;
        }
      },
    );
    await this.#service.inference.finishOutputDownload({ downloadId }, call(options)).catch(() => undefined);
    return { arrays, numbers: result?.numbers ?? {}, values: result?.values ?? {} };
  }
}

function* chunksOf(inputs: readonly InputArray[], step: number) {
  for (const { name, bytes } of inputs) {
    for (let offset = 0; offset < bytes.byteLength; offset += step) {
      yield { input: name, offset, total: bytes.byteLength, data: bytes.subarray(offset, offset + step) };
    }
  }
}

function* slicesOf(arrays: readonly InferenceOutput[], step: number) {
  for (const array of arrays) {
    for (let offset = 0; offset < array.bytes.byteLength; offset += step) {
      yield { array, offset, length: Math.min(step, array.bytes.byteLength - offset) };
    }
  }
}
