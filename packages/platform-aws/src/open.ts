// A deployment in an AWS account, opened: the ports of core on the resources that the settings name.
import type { BatchClient } from "@aws-sdk/client-batch";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import type { LambdaClient } from "@aws-sdk/client-lambda";
import type { S3Client } from "@aws-sdk/client-s3";
import {
  type Clock,
  type Context,
  DEFAULT_PLACEMENT,
  type Dispatcher,
  deferredDispatcher,
  type Events,
  holderOf,
  type Ids,
  type PlacementPolicy,
  systemClock,
  systemIds,
  type Table,
  type WorkerContext,
} from "@sortie/core";
import { type BatchApi, BatchDispatcher, type FunctionApi } from "./batch-dispatcher.ts";
import type { AwsOptions } from "./client-settings.ts";
import { DynamoTable } from "./dynamo-table.ts";
import { type EventBridgeApi, EventBridgeEvents } from "./eventbridge-events.ts";
import { S3Blobs } from "./s3-blobs.ts";
import { batchApi, eventBridgeApi, functionApi } from "./sdk-apis.ts";
import { type AwsSettings, AwsSettingsError } from "./settings.ts";

/** SDK clients, or stand-ins of the small interfaces over them, used instead of own ones; not closed with the platform. */
export interface AwsClients {
  readonly dynamodb?: DynamoDBClient | undefined;
  readonly s3?: S3Client | undefined;
  readonly batch?: BatchClient | BatchApi | undefined;
  readonly lambda?: LambdaClient | FunctionApi | undefined;
  readonly eventBridge?: EventBridgeClient | EventBridgeApi | undefined;
}

export interface OpenAwsOptions extends AwsOptions {
  readonly clients?: AwsClients | undefined;
  readonly clock?: Clock | undefined;
  readonly ids?: Ids | undefined;
  /** First and longest pause between two looks at a row that is waited for, in milliseconds. */
  readonly pollMs?: { readonly first: number; readonly longest: number } | undefined;
}

export interface OpenAwsServerOptions extends OpenAwsOptions {
  readonly onFault: Context["onFault"];
}

/** What a worker needs of a deployment. Closing it closes the clients that are its own. */
export type AwsWorkerPlatform = WorkerContext & { readonly blobs: S3Blobs } & AsyncDisposable;
/** What a server, or a function that does a server's work, needs of a deployment. */
export type AwsPlatform = Context & { readonly blobs: S3Blobs } & AsyncDisposable;

/** Opens what a worker needs: table and blobs. Nothing is sent until it is used. */
export function openAwsWorker(settings: AwsSettings, options: OpenAwsOptions = {}): AwsWorkerPlatform {
  const { clients = {}, clock = systemClock, ids = systemIds, pollMs, ...aws } = options;
  const table = new DynamoTable({ ...aws, table: settings.table, client: clients.dynamodb, pollMs });
  const blobs = new S3Blobs({ ...aws, bucket: settings.bucket, client: clients.s3 });
  return {
    table,
    blobs,
    clock,
    ids,
    limits: settings.limits,
    async [Symbol.asyncDispose]() {
      await Promise.all([table[Symbol.asyncDispose](), blobs[Symbol.asyncDispose]()]);
    },
  };
}

/**
 * Opens what a host needs that takes calls and nothing else: it starts and stops no workers and tells nobody, because it
 * has no right to. Whoever is woken by the job rows does (attendJob). Nothing is sent until it is used.
 * @throws AwsSettingsError if no placement is set up
 */
export function openAwsFront(settings: AwsSettings, options: OpenAwsServerOptions): AwsPlatform {
  const { onFault, ...rest } = options;
  const placement = placementPolicy(settings);
  const events: Events = { publish: () => Promise.reject(new Error("this host tells nobody of jobs")) };
  return { ...openAwsWorker(settings, rest), dispatcher: deferredDispatcher, events, placement, onFault };
}

/**
 * Opens all that a server needs. Nothing is sent until it is used.
 * @throws AwsSettingsError if no placement is set up
 */
export function openAws(settings: AwsSettings, options: OpenAwsServerOptions): AwsPlatform {
  const { onFault, ...rest } = options;
  const placement = placementPolicy(settings);
  const worker = openAwsWorker(settings, rest);
  const { clients = {}, clock, ids, pollMs, ...aws } = rest;
  const owned = new DisposableStack();
  const dispatcher = openDispatcher(settings, worker.table, aws, clients, owned);
  const events = openEvents(settings, aws, clients, owned);
  return {
    ...worker,
    dispatcher,
    events,
    placement,
    onFault,
    async [Symbol.asyncDispose]() {
      await dispatcher[Symbol.asyncDispose]();
      owned.dispose();
      await worker[Symbol.asyncDispose]();
    },
  };
}

/** @throws AwsSettingsError if no placement is set up */
export function placementPolicy({ placements, inlineMemoryBytes }: AwsSettings): PlacementPolicy {
  const available = DEFAULT_PLACEMENT.available.filter((placement) => placements[placement] !== undefined);
  if (available.length === 0) {
    throw new AwsSettingsError([
      "no placement is set up; at least one of SORTIE_SOLVE_FUNCTION, SORTIE_CPU_QUEUE and SORTIE_GPU_QUEUE must be set",
    ]);
  }
  const inline = { ...DEFAULT_PLACEMENT.inline, memoryBytes: inlineMemoryBytes };
  return { ...DEFAULT_PLACEMENT, available, inline };
}

function openDispatcher(
  { placements }: AwsSettings,
  table: Table,
  aws: AwsOptions,
  clients: AwsClients,
  owned: DisposableStack,
): Dispatcher {
  const { batch, lambda } = clients;
  return new BatchDispatcher({
    batch: batch && "submit" in batch ? batch : owned.use(batchApi(aws, batch)),
    functions: lambda && "invoke" in lambda ? lambda : owned.use(functionApi(aws, lambda)),
    placements,
    holderOf: (jobId, call) => holderOf({ table }, jobId, call),
  });
}

function openEvents({ eventBus }: AwsSettings, aws: AwsOptions, clients: AwsClients, owned: DisposableStack): Events {
  if (eventBus === undefined) return { publish: async () => {} };
  const { eventBridge } = clients;
  const api = eventBridge && "putEvent" in eventBridge ? eventBridge : owned.use(eventBridgeApi(aws, eventBridge));
  return new EventBridgeEvents(api, eventBus);
}
