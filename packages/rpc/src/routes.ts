// Mounts the services on Connect routers: one for binary messages, whose largest messages stay undecoded, and one for JSON.
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { type Caller, type Context, DomainError, WEBHOOK_HEADER } from "@sortie/core";
import {
  CuOptRemoteService,
  IncumbentResponseSchema,
  InferenceService,
  JobService,
  ResultResponseSchema,
  rawFields,
  rawMessage,
  StartChunkedUploadRequestSchema,
  SubmitJobRequestSchema,
  TransferService,
  withRawMessages,
} from "@sortie/wire";
import { CHUNK_SHA256_HEADER, WANT_CHUNK_SHA256_HEADER } from "./cuopt/chunk-digests.ts";
import { type Call, type CuOptHandlers, createCuOptHandlers } from "./cuopt/handlers.ts";
import { type CuvisOptions, mountCuvis } from "./cuvis/service.ts";
import { toClientError } from "./errors.ts";
import { createInferenceHandlers } from "./sortie/inference-service.ts";
import { createJobHandlers } from "./sortie/job-service.ts";
import { createTransferHandlers } from "./sortie/transfer-service.ts";

export interface RouteOptions {
  readonly maxMessageBytes: number;
  /** Where links of the server's own begin. Default: the address that the client called. */
  readonly publicUrl?: string | undefined;
  /** On whose behalf a request is made. @throws DomainError "unauthenticated" */
  readonly callerOf: (request: HandlerContext) => Caller | Promise<Caller>;
  /**
   * Waits and streams end by themselves after so many milliseconds with what they have: a wait with the job's present
   * state, a log without its final message, and the client goes on from there. For hosts that are paid by the time they
   * wait, or live too short to wait for long. Default: they last until the job ends.
   */
  readonly waitMs?: number | undefined;
  /** The pipeline service, where it is served. */
  readonly cuvis?: CuvisOptions | undefined;
}

export interface Routes {
  readonly binary: (router: ConnectRouter) => void;
  readonly json: (router: ConnectRouter) => void;
}

const IDEMPOTENCY_HEADER = "idempotency-key";
const LONGEST_KEY = 255;

export function createRoutes(context: Context, options: RouteOptions): Routes {
  const cuopt = createCuOptHandlers(context, options);
  const jobs = createJobHandlers(context);
  const transfers = createTransferHandlers(context, options, cuopt);
  const inference =
    options.cuvis &&
    createInferenceHandlers(options.cuvis.context, {
      maxMessageBytes: options.maxMessageBytes,
      usesGpu: options.cuvis.usesGpu,
    });

  const callFrom = async (handler: HandlerContext): Promise<Call> => {
    const key = handler.requestHeader.get(IDEMPOTENCY_HEADER) || undefined;
    if (key !== undefined && key.length > LONGEST_KEY) {
      throw new DomainError(
        "invalid-argument",
        `${IDEMPOTENCY_HEADER} has ${key.length} characters; at most ${LONGEST_KEY} are allowed`,
      );
    }
    return {
      caller: await options.callerOf(handler),
      signal: handler.signal,
      idempotencyKey: key,
      baseUrl: options.publicUrl ?? URL.parse(handler.url)?.origin ?? "",
      webhook: handler.requestHeader.get(WEBHOOK_HEADER) || undefined,
      chunkSha256: handler.requestHeader.get(CHUNK_SHA256_HEADER) || undefined,
      ...(handler.requestHeader.has(WANT_CHUNK_SHA256_HEADER) && {
        tellChunkSha256: (sha256: string) => handler.responseHeader.set(CHUNK_SHA256_HEADER, sha256),
      }),
    };
  };

  const mountPipelines = options.cuvis && mountCuvis(options.cuvis, callFrom);

  /** Gives a handler its call, and clients errors that are meant for them. */
  function unary<I, O>(
    handle: (request: I, call: Call) => Promise<O>,
  ): (request: I, handler: HandlerContext) => Promise<O> {
    return async (request, handler) => {
      try {
        return await handle(request, await callFrom(handler));
      } catch (error) {
        throw toClientError(error);
      }
    };
  }

  function streaming<I, O>(handle: (request: I, call: Call) => AsyncIterable<O>) {
    return async function* (request: I, handler: HandlerContext): AsyncGenerator<O> {
      try {
        yield* handle(request, await callFrom(handler));
      } catch (error) {
        throw toClientError(error);
      }
    };
  }

  const plain = {
    sendArrayChunk: unary(cuopt.sendArrayChunk),
    finishChunkedUpload: unary(cuopt.finishChunkedUpload),
    checkStatus: unary(cuopt.checkStatus),
    startChunkedDownload: unary(cuopt.startChunkedDownload),
    getResultChunk: unary(cuopt.getResultChunk),
    finishChunkedDownload: unary(cuopt.finishChunkedDownload),
    deleteResult: unary(cuopt.deleteResult),
    cancelJob: unary(cuopt.cancelJob),
    waitForCompletion: unary(cuopt.waitForCompletion),
    streamLogs: streaming(cuopt.streamLogs),
  };
  const jobRoutes = { listJobs: unary(jobs.listJobs), getJob: unary(jobs.getJob) };
  const transferRoutes = {
    createUpload: unary(transfers.createUpload),
    getUploadLinks: unary(transfers.getUploadLinks),
    getUploadState: unary(transfers.getUploadState),
    submitUpload: unary(transfers.submitUpload),
    abortUpload: unary(transfers.abortUpload),
    getResultLinks: unary(transfers.getResultLinks),
  };

  const inferenceRoutes = inference && {
    startInputUpload: unary(inference.startInputUpload),
    sendInputChunk: unary(inference.sendInputChunk),
    getInputState: unary(inference.getInputState),
    submitInference: unary(inference.submitInference),
    startOutputDownload: unary(inference.startOutputDownload),
    getOutputChunk: unary(inference.getOutputChunk),
    finishOutputDownload: unary(inference.finishOutputDownload),
  };

  return {
    binary(router) {
      router.service(rawCuOptService, {
        ...plain,
        submitJob: unary((request: Message, call) => cuopt.submitJob(rawFields(request), call)),
        startChunkedUpload: unary((request: Message, call) => cuopt.startChunkedUpload(rawFields(request), call)),
        getResult: unary(async (request: Parameters<CuOptHandlers["getResult"]>[0], call) =>
          rawMessage(await cuopt.getResult(request, call)),
        ),
        getIncumbents: unary(async (request: Parameters<CuOptHandlers["getIncumbents"]>[0], call) =>
          rawMessage(await cuopt.getIncumbents(request, call)),
        ),
        // The descriptor's message types are replaced at run time, which its static type cannot say.
      } as never);
      router.service(JobService, jobRoutes);
      router.service(TransferService, transferRoutes);
      if (inferenceRoutes) router.service(InferenceService, inferenceRoutes);
      mountPipelines?.(router, false);
    },
    json(router) {
      router.service(CuOptRemoteService, {
        ...plain,
        submitJob: unary((request, call) => cuopt.submitJob(toBinary(SubmitJobRequestSchema, request), call)),
        startChunkedUpload: unary((request, call) =>
          cuopt.startChunkedUpload(
            toBinary(StartChunkedUploadRequestSchema, create(StartChunkedUploadRequestSchema, request)),
            call,
          ),
        ),
        getResult: unary(async (request, call) =>
          fromBinary(ResultResponseSchema, await cuopt.getResult(request, call)),
        ),
        getIncumbents: unary(async (request, call) =>
          fromBinary(IncumbentResponseSchema, await cuopt.getIncumbents(request, call)),
        ),
      });
      router.service(JobService, jobRoutes);
      router.service(TransferService, transferRoutes);
      if (inferenceRoutes) router.service(InferenceService, inferenceRoutes);
      mountPipelines?.(router, true);
    },
  };
}

/** The largest messages skip Connect's decoder and encoder. */
const rawCuOptService = withRawMessages(CuOptRemoteService, {
  submitJob: { input: true },
  startChunkedUpload: { input: true },
  getResult: { output: true },
  getIncumbents: { output: true },
});
