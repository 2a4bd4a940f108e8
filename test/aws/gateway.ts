// One endpoint for every service, as AWS_ENDPOINT_URL wants it: table and blobs go on to their emulators, Batch, Lambda and
// EventBridge are answered here. Faults strike between the client and the service, and the writes of the table are seen.
import { once } from "node:events";
import http, { type IncomingMessage, type OutgoingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { answerBatch } from "./batch-api.ts";
import type { BatchMachine } from "./batch-machine.ts";
import type { Fault, Faults, ServiceCall } from "./faults.ts";
import { type Lambda, ThrottledError } from "./lambda.ts";
import type { Attributes } from "./table-stream.ts";

export interface BusEvent {
  readonly bus: string;
  readonly source: string;
  readonly detailType: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface GatewayOptions {
  readonly dynamoEndpoint: string;
  readonly s3Endpoint: string;
  readonly faults: Faults;
  readonly lambda: Lambda;
  readonly batch: BatchMachine;
  /** A row of the table was written, or is gone. */
  readonly onRow: (keys: Attributes, image: Attributes | undefined) => void;
  readonly onEvent: (event: BusEvent) => void;
  /** An object was put. */
  readonly onObject: (path: string) => void;
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Uint8Array;
}

/** Batch's paths. */
const BATCH_OPERATIONS: Readonly<Record<string, string>> = {
  "/v1/submitjob": "SubmitJob",
  "/v1/terminatejob": "TerminateJob",
  "/v1/canceljob": "CancelJob",
  "/v1/describejobs": "DescribeJobs",
  "/v1/listjobs": "ListJobs",
};
const INVOKE = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;
const TARGETS: Readonly<Record<string, ServiceCall["service"]>> = {
  DynamoDB_20120810: "DynamoDB",
  AWSEvents: "Events",
  AmazonSQS: "SQS",
};

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
  readonly #server: Server;
  /** Every pair of caller and action that was seen: what the roles must allow. */
  readonly actions = new Set<string>();
  endpoint = "";

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  async open(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.endpoint = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const call = describe(request, body);
    this.actions.add(`${call.caller} ${call.service}:${call.operation}`);
    const fault = this.#options.faults.strike(call);
    if (fault?.kind === "request-lost") return void request.socket.destroy();
    const refused = fault && refusal(fault, call);
    if (refused) return send(response, refused, request.method);
    const answer = await this.#execute(call, request, body);
    if (fault?.kind === "answer-lost") return void request.socket.destroy();
    if (fault?.kind === "slow") await delay(fault.delayMs ?? 300);
    send(response, answer, request.method);
  }

  async #execute(call: ServiceCall, request: IncomingMessage, body: Buffer): Promise<Answer> {
    const { dynamoEndpoint, s3Endpoint, lambda, batch, onEvent, onObject } = this.#options;
    switch (call.service) {
      case "DynamoDB": {
        const answer = await this.#forward(dynamoEndpoint, request, body);
        if (answer.status === 200) this.#noteRows(call, answer);
        return answer;
      }
      case "S3": {
        const answer = await this.#forward(s3Endpoint, request, body);
        const put = call.operation === "PutObject" || call.operation === "CompleteMultipartUpload";
        if (answer.status === 200 && put) onObject(call.path.replace(/\?.*$/, ""));
        return answer;
      }
      case "Batch":
        return json(answerBatch(batch, call.operation, call.body));
      case "Lambda": {
        const [, name = ""] = INVOKE.exec(call.path) ?? [];
        if (!lambda.has(name)) return failure("ResourceNotFoundException", 404, `Function not found: ${name}`);
        if (request.headers["x-amz-invocation-type"] === "Event") {
          lambda.start(name, call.body);
          return { status: 202, headers: {}, body: Buffer.alloc(0) };
        }
        try {
          return json((await lambda.result(name, call.body)) ?? null);
        } catch (error) {
          if (error instanceof ThrottledError) return failure("TooManyRequestsException", 429, error.message);
          const answer = json({ errorMessage: (error as Error).message });
          return { ...answer, headers: { ...answer.headers, "x-amz-function-error": "Unhandled" } };
        }
      }
      case "Events": {
        const { Entries = [] } = call.body as { Entries?: Record<string, string>[] };
        for (const { EventBusName = "default", Source = "", DetailType = "", Detail = "{}" } of Entries) {
          const event = { bus: EventBusName, source: Source, detailType: DetailType, detail: JSON.parse(Detail) };
          onEvent(event);
        }
        return json({ FailedEntryCount: 0, Entries: Entries.map((_, i) => ({ EventId: `event-${i}` })) });
      }
      default:
        throw new Error(`this cloud has no ${call.service}`);
    }
  }

  #noteRows(call: ServiceCall, answer: Answer): void {
    const { onRow } = this.#options;
    const asked = call.body as {
      Key?: Attributes;
      RequestItems?: Record<string, { DeleteRequest?: { Key: Attributes } }[]>;
    };
    if (call.operation === "UpdateItem") {
      const { Attributes: image } = JSON.parse(Buffer.from(answer.body).toString("utf8")) as {
        Attributes?: Attributes;
      };
      if (image) onRow({ pk: image["pk"], sk: image["sk"] }, image);
    }
    if (call.operation === "DeleteItem" && asked.Key) onRow(asked.Key, undefined);
    if (call.operation === "BatchWriteItem") {
      for (const { DeleteRequest } of Object.values(asked.RequestItems ?? {}).flat()) {
        if (DeleteRequest) onRow(DeleteRequest.Key, undefined);
      }
    }
  }

  /** Sends the request on as it came: its signature covers the host that the client has named. */
  async #forward(endpoint: string, request: IncomingMessage, body: Buffer): Promise<Answer> {
    const { hostname, port } = new URL(endpoint);
    const { method, url: path, headers } = request;
    const onward = http.request({ agent: this.#agent, hostname, port, method, path, headers });
    onward.end(body);
    const [answer] = (await once(onward, "response")) as [IncomingMessage];
    return { status: answer.statusCode ?? 500, headers: answer.headers, body: await buffer(answer) };
  }
}

/** Who calls what. */
function describe(request: IncomingMessage, body: Buffer): ServiceCall {
  const path = request.url ?? "/";
  const agents = `${request.headers["user-agent"]} ${request.headers["x-amz-user-agent"]}`;
  const caller = /\bapp\/([\w-]+)/.exec(agents)?.[1];
  const common = { path, caller: caller ?? "" };
  const [target, operation = ""] = String(request.headers["x-amz-target"] ?? "").split(".");
  const service = TARGETS[target ?? ""];
  if (service) return { ...common, service, operation, body: parsed(body) };
  const batch = BATCH_OPERATIONS[path];
  if (batch) return { ...common, service: "Batch", operation: batch, body: parsed(body) };
  if (INVOKE.test(path)) return { ...common, service: "Lambda", operation: "Invoke", body: parsed(body) };
  return { ...common, service: "S3", operation: objectOperation(request.method ?? "GET", path), body: undefined };
}

const parsed = (body: Buffer): unknown => (body.byteLength === 0 ? undefined : JSON.parse(body.toString("utf8")));

function objectOperation(method: string, path: string): string {
  const { pathname, searchParams } = new URL(path, "http://s3");
  const hasKey = pathname.split("/").filter(Boolean).length > 1;
  if (method === "PUT") return !hasKey ? "CreateBucket" : searchParams.has("partNumber") ? "UploadPart" : "PutObject";
  if (method === "GET") return hasKey ? "GetObject" : "ListBucket";
  if (method === "HEAD") return "HeadObject";
  if (method === "DELETE") return searchParams.has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
  if (searchParams.has("delete")) return "DeleteObjects";
  return searchParams.has("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
}

const json = (value: unknown): Answer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: Buffer.from(JSON.stringify(value)),
});

function failure(type: string, status: number, message: string): Answer {
  const headers = { "content-type": "application/x-amz-json-1.0", "x-amzn-errortype": type };
  return { status, headers, body: Buffer.from(JSON.stringify({ __type: type, message })) };
}

function xmlFailure(code: string, status: number): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status, headers: { "content-type": "application/xml" }, body: Buffer.from(body) };
}

const THROTTLED: Readonly<Record<ServiceCall["service"], Answer>> = {
  DynamoDB: failure("ProvisionedThroughputExceededException", 400, "throughput exceeded"),
  S3: xmlFailure("SlowDown", 503),
  Batch: failure("TooManyRequestsException", 429, "Too Many Requests"),
  Lambda: failure("TooManyRequestsException", 429, "Rate Exceeded."),
  Events: failure("ThrottlingException", 400, "Rate exceeded"),
  SQS: failure("ThrottlingException", 400, "Rate exceeded"),
};

function refusal(fault: Fault, { service }: ServiceCall): Answer | undefined {
  if (fault.kind === "throttle") return THROTTLED[service];
  if (fault.kind !== "error") return undefined;
  return service === "S3" ? xmlFailure("InternalError", 500) : failure("InternalServerError", 500, "it failed");
}

function send(response: ServerResponse, { status, headers, body }: Answer, method: string | undefined): void {
  if (response.destroyed) return;
  const { "transfer-encoding": _, connection: __, ...rest } = headers;
  // The answer to HEAD tells a length and has no body.
  if (method === "HEAD") response.writeHead(status, rest).end();
  else response.writeHead(status, { ...rest, "content-length": body.byteLength }).end(body);
}
