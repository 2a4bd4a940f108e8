// What runs inside an environment of a function, in the place of AWS's runtime interface client: asks the runtime API for
// events, calls the handler, and sends what it answers, streamed where the handler says so.
//
// node runtime-client.ts FILE.EXPORT
import http from "node:http";
import { resolve } from "node:path";
import type { Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const VERSION = "/2018-06-01/runtime";
const api = new URL(`http://${process.env["AWS_LAMBDA_RUNTIME_API"]}`);
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

type Handler = ((...args: unknown[]) => unknown) & { [STREAMING]?: string };
type ResponseStream = Writable & { setContentType(type: string): void; beforeFirstWrite?: () => void };

Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: Handler) => Object.assign(handler, { [STREAMING]: "response" }),
    HttpResponseStream: {
      from(stream: ResponseStream, prelude: unknown) {
        stream.setContentType("application/vnd.awslambda.http-integration-response");
        stream.beforeFirstWrite = () => {
          stream.write(JSON.stringify(prelude));
          stream.write(new Uint8Array(8));
        };
        return stream;
      },
    },
  },
});

function ask(method: string, path: string, body?: string): Promise<http.IncomingMessage & { text: string }> {
  return new Promise((done, fail) => {
    const options = { agent, method, host: api.hostname, port: api.port, path: VERSION + path };
    const request = http.request(options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.once("end", () => done(Object.assign(answer, { text })));
      answer.once("error", fail);
    });
    request.once("error", fail);
    request.end(body);
  });
}

const errorOf = (error: unknown) => {
  const { name = "Error", message = String(error), stack = "" } = error instanceof Error ? error : {};
  return { errorType: name, errorMessage: message, trace: stack.split("\n") };
};

function responseStream(id: string): { stream: ResponseStream; answered: Promise<void>; fail(error: unknown): void } {
  const request = http.request({
    agent,
    method: "POST",
    host: api.hostname,
    port: api.port,
    path: `${VERSION}/invocation/${id}/response`,
    headers: {
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      Trailer: ["Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"],
      "Content-Type": "application/octet-stream",
      "Transfer-Encoding": "chunked",
    },
  });
  const answered = new Promise<void>((done, fail) => {
    request.once("response", (answer) => answer.resume().once("end", done).once("error", fail));
    request.once("error", fail);
  });
  answered.catch(() => undefined); // Whoever waits hears of it.
  const stream = request as unknown as ResponseStream;
  stream.setContentType = (type) => request.setHeader("Content-Type", type);
  const write = request.write.bind(request);
  stream.write = ((...args: Parameters<typeof write>) => {
    const before = stream.beforeFirstWrite;
    delete stream.beforeFirstWrite;
    before?.();
    return write(...args);
  }) as typeof stream.write;
  return {
    stream,
    answered,
    fail(error) {
      const { errorType, ...rest } = errorOf(error);
      request.addTrailers({
        "Lambda-Runtime-Function-Error-Type": errorType,
        "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify({ errorType, ...rest })).toString("base64"),
      });
      request.end();
    },
  };
}

async function stream(handler: Handler, id: string, event: unknown, context: unknown): Promise<void> {
  const { stream, answered, fail } = responseStream(id);
  try {
    const returned = handler(event, stream, context);
    if (typeof (returned as Promise<unknown> | undefined)?.then !== "function") {
      throw new Error("Streaming does not support non-async handlers.");
    }
    await returned;
    await answered;
    if (!stream.writableFinished) throw new Error("Response stream is not finished.");
  } catch (error) {
    console.error("Invoke Error", error);
    fail(error);
    await answered.catch(() => undefined);
  }
}

async function answer(handler: Handler, id: string, event: unknown, context: unknown): Promise<void> {
  try {
    const result = await handler(event, context);
    await ask("POST", `/invocation/${id}/response`, JSON.stringify(result ?? null));
  } catch (error) {
    console.error("Invoke Error", error);
    await ask("POST", `/invocation/${id}/error`, JSON.stringify(errorOf(error)));
  }
}

async function loadHandler(): Promise<Handler> {
  const [, file = "", name = ""] = /^(.+)#([^#]+)$/.exec(process.argv[2] ?? "") ?? [];
  const module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  const handler = module[name];
  if (typeof handler !== "function") throw new Error(`${file} exports no function ${name}`);
  if (handler.length >= 3 && !(STREAMING in handler)) throw new Error("handlers with a callback are not supported");
  return handler as Handler;
}

let handler: Handler;
try {
  handler = await loadHandler();
} catch (error) {
  console.error("Init Error", error);
  await ask("POST", "/init/error", JSON.stringify(errorOf(error)));
  process.exit(1);
}

for (;;) {
  const { headers, text } = await ask("GET", "/invocation/next").catch(() => process.exit(0));
  const id = String(headers["lambda-runtime-aws-request-id"]);
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const context = {
    awsRequestId: id,
    functionName: process.env["AWS_LAMBDA_FUNCTION_NAME"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    memoryLimitInMB: "1024",
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  await (handler[STREAMING] === "response" ? stream : answer)(handler, id, JSON.parse(text), context);
}
