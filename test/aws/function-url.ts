// A function URL: HTTP in, an event of payload version 2.0 to the function, its streamed answer out. Limits and texts are
// those of AWS. It knows no trailers and no HTTP/2 in clear, so native gRPC cannot pass.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type Lambda, REQUEST_BYTES, ThrottledError } from "./lambda.ts";

const INTEGRATION = "application/vnd.awslambda.http-integration-response";
/** Ends the JSON before a streamed answer's body. */
const DELIMITER = Buffer.alloc(8);
/** Bodies of these types come as text, all others in base64. */
const TEXT = /^(text\/|application\/(json|javascript|xml|x-www-form-urlencoded)\b)/i;

interface Prelude {
  readonly statusCode?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
}

async function eventOf(request: IncomingMessage, server: string): Promise<object> {
  const body = await buffer(request);
  const url = new URL(request.url ?? "/", `http://${server}`);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(",") : (value ?? "");
  }
  const isBase64Encoded = body.byteLength > 0 && !TEXT.test(headers["content-type"] ?? "");
  const now = new Date();
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: { ...headers, "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", "x-forwarded-port": "443" },
    ...(url.search !== "" && { queryStringParameters: Object.fromEntries(url.searchParams) }),
    requestContext: {
      accountId: "anonymous",
      apiId: "0123456789abcdef0123456789abcdef",
      domainName: server,
      domainPrefix: "0123456789abcdef0123456789abcdef",
      http: {
        method: request.method,
        path: url.pathname,
        protocol: "HTTP/1.1",
        sourceIp: "203.0.113.7",
        userAgent: headers["user-agent"] ?? "",
      },
      requestId: crypto.randomUUID(),
      routeKey: "$default",
      stage: "$default",
      time: now.toUTCString(),
      timeEpoch: now.getTime(),
    },
    ...(body.byteLength > 0 && { body: body.toString(isBase64Encoded ? "base64" : "utf8") }),
    isBase64Encoded,
  };
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ Message: message }));
}

/** Writes the answer of a function: the head from its first bytes, then everything as it comes. */
async function relay(body: Readable, contentType: string, response: ServerResponse): Promise<void> {
  let head: Buffer | undefined = contentType === INTEGRATION ? Buffer.alloc(0) : undefined;
  if (!head) response.writeHead(200, { "content-type": contentType });
  for await (const part of body as AsyncIterable<Buffer>) {
    let rest = part;
    if (head) {
      head = Buffer.concat([head, part]);
      const end = head.indexOf(DELIMITER);
      if (end === -1) continue;
      const { statusCode = 200, headers = {}, cookies = [] } = JSON.parse(head.toString("utf8", 0, end)) as Prelude;
      response.writeHead(statusCode, { ...headers, ...(cookies.length > 0 && { "set-cookie": [...cookies] }) });
      response.flushHeaders();
      rest = head.subarray(end + DELIMITER.byteLength);
      head = undefined;
    }
    // A client that has left does not stop the function: it writes on to nobody.
    if (rest.byteLength > 0 && !response.destroyed && !response.write(rest)) {
      await Promise.race([once(response, "drain"), once(response, "close")]);
    }
  }
  if (head) throw new Error("the function's answer ended before its head");
  response.end();
}

export class FunctionUrl {
  readonly #lambda: Lambda;
  readonly #name: string;
  #server: Server | undefined;
  #port = 0;

  constructor(lambda: Lambda, name: string) {
    this.#lambda = lambda;
    this.#name = name;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens, on the port it had if it listened before. */
  async open(): Promise<void> {
    const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const event = await eventOf(request, `127.0.0.1:${this.#port}`);
    const bytes = Buffer.byteLength(JSON.stringify(event));
    if (bytes > REQUEST_BYTES) {
      return refuse(
        response,
        413,
        `Request must be smaller than ${REQUEST_BYTES} bytes for the InvokeFunction operation`,
      );
    }
    try {
      const { body, contentType } = await this.#lambda.call(this.#name, event);
      await relay(body, contentType, response);
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      if (error instanceof ThrottledError) return refuse(response, 429, "Rate Exceeded.");
      refuse(response, 502, "Internal Server Error");
    }
  }
}
