// What the host tells about itself: health, reflection, metrics.
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import {
  CuOptRemoteService,
  Health,
  reflectionV1,
  reflectionV1alpha,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "@sortie/wire";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Host } from "./host.ts";
import type { FinishedCall } from "./metrics.ts";
import { startSmallHost } from "./testing/small-app.ts";

const started: Host[] = [];
const start = async (...args: Parameters<typeof startSmallHost>) => {
  const small = await startSmallHost(...args);
  started.push(small.host);
  return { ...small, transport: createGrpcTransport({ baseUrl: small.url }) };
};
afterEach(async () => {
  await Promise.all(started.splice(0).map((host) => host.close(0)));
});

const CUOPT = "cuopt.remote.CuOptRemoteService";

describe("health", () => {
  it("is SERVING for the server and each of its services, and NOT_FOUND for others", async () => {
    const { transport } = await start();
    const health = createClient(Health, transport);
    expect((await health.check({})).status).toBe(ServingStatus.SERVING);
    expect((await health.check({ service: CUOPT })).status).toBe(ServingStatus.SERVING);
    await expect(health.check({ service: "no.Such" })).rejects.toMatchObject({ code: Code.NotFound });
    expect(Object.keys((await health.list({})).statuses)).toEqual([
      "",
      CUOPT,
      "sortie.v1.JobService",
      "grpc.health.v1.Health",
    ]);
  });

  it("is watched as it changes", async () => {
    const { host, transport } = await start();
    const health = createClient(Health, transport);
    const seen: ServingStatus[] = [];
    const cancel = new AbortController();
    for await (const { status } of health.watch({ service: CUOPT }, { signal: cancel.signal })) {
      seen.push(status);
      if (seen.length === 3) break;
      host.health.set(seen.length === 2);
    }
    cancel.abort();
    expect(seen).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING, ServingStatus.SERVING]);
    for await (const { status } of health.watch({ service: "no.Such" })) {
      expect(status).toBe(ServingStatus.SERVICE_UNKNOWN);
      break;
    }
  });

  it("shows at /healthz", async () => {
    const { host, url } = await start();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    host.health.set(false);
    expect((await fetch(`${url}/healthz`)).status).toBe(503);
  });
});

describe.each([
  ["v1", reflectionV1],
  ["v1alpha", reflectionV1alpha],
] as const)("reflection %s", (_name, { ServerReflection }) => {
  type Question =
    Parameters<ReturnType<typeof client>["serverReflectionInfo"]>[0] extends AsyncIterable<infer T> ? T : never;
  const client = (transport: Transport) =>
    createClient(ServerReflection as typeof reflectionV1.ServerReflection, transport);
  const ask = async (transport: Transport, ...questions: NonNullable<Question["messageRequest"]>[]) => {
    const answers = [];
    const requests = (async function* () {
      for (const messageRequest of questions) yield { messageRequest };
    })();
    for await (const { messageResponse } of client(transport).serverReflectionInfo(requests))
      answers.push(messageResponse);
    return answers;
  };

  it("lists every service of the host", async () => {
    const { transport } = await start();
    const [answer] = await ask(transport, { case: "listServices", value: "" });
    expect(answer?.case === "listServicesResponse" && answer.value.service.map((service) => service.name)).toEqual([
      CUOPT,
      "sortie.v1.JobService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  it("gives a service's file with all it imports, from which the service can be called", async () => {
    const { transport, url } = await start();
    const [answer] = await ask(transport, { case: "fileContainingSymbol", value: CUOPT });
    if (answer?.case !== "fileDescriptorResponse") throw new Error(`unexpected answer ${answer?.case}`);
    const file = answer.value.fileDescriptorProto
      .map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
      .reverse();
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
    const method = registry.getService(CUOPT)?.methods.find(({ name }) => name === "CheckStatus");
    expect(method?.input.fields.map(({ name }) => name)).toEqual(
      CuOptRemoteService.method.checkStatus.input.fields.map(({ name }) => name),
    );
    const found = createClient(
      registry.getService(CUOPT)!,
      createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
    );
    const checkStatus = found["checkStatus"] as unknown as (request: object) => Promise<object>;
    expect(await checkStatus({ jobId: "found" })).toMatchObject({ message: "found" });
  });

  it("finds files, methods and fields, and says what it does not know", async () => {
    const { transport } = await start();
    const answers = await ask(
      transport,
      { case: "fileByFilename", value: "cuopt/remote/service.proto" },
      { case: "fileContainingSymbol", value: `${CUOPT}.CheckStatus` },
      { case: "fileContainingSymbol", value: "cuopt.remote.StatusRequest.job_id" },
      { case: "allExtensionNumbersOfType", value: "cuopt.remote.StatusRequest" },
      { case: "fileByFilename", value: "no/such.proto" },
      { case: "fileContainingSymbol", value: `${CUOPT}.NoSuchMethod` },
      {
        case: "fileContainingExtension",
        value: { containingType: "cuopt.remote.StatusRequest", extensionNumber: 5 } as never,
      },
      { case: "allExtensionNumbersOfType", value: "no.Such" },
    );
    expect(answers.map((answer) => answer.case)).toEqual([
      ...Array(3).fill("fileDescriptorResponse"),
      "allExtensionNumbersResponse",
      ...Array(4).fill("errorResponse"),
    ]);
    expect(answers.at(-1)).toMatchObject({ value: { errorCode: Code.NotFound } });
  });
});

describe("metrics", () => {
  it("count calls by method, protocol and code, and bytes in and out", async () => {
    const calls: FinishedCall[] = [];
    const { url, transport } = await start({ onCallFinished: (call) => calls.push(call), maxMessageBytes: 4096 });
    const client = createClient(CuOptRemoteService, transport);
    const connect = createClient(CuOptRemoteService, createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
    await client.checkStatus({ jobId: "abc" });
    await client.checkStatus({ jobId: "abc" });
    await connect.checkStatus({ jobId: "abc" });
    await client.checkStatus({ jobId: "known fault" }).catch(() => {});
    await client.sendArrayChunk({ chunk: { data: new Uint8Array(5000) } }).catch(() => {});
    await vi.waitUntil(() => calls.length === 5);

    const text = await (await fetch(`${url}/metrics`)).text();
    const check = `method="${CUOPT}/CheckStatus"`;
    expect(text).toContain(`sortie_rpc_requests_total{${check},protocol="grpc",code="ok"} 2`);
    expect(text).toContain(`sortie_rpc_requests_total{${check},protocol="connect",code="ok"} 1`);
    expect(text).toContain(`sortie_rpc_requests_total{${check},protocol="grpc",code="not_found"} 1`);
    expect(text).toContain(
      `sortie_rpc_requests_total{method="${CUOPT}/SendArrayChunk",protocol="grpc",code="resource_exhausted"} 1`,
    );
    expect(text).toContain(`sortie_rpc_duration_seconds_count{${check},code="ok"} 3`);
    expect(text).toContain(`sortie_rpc_in_flight{${check}} 0`);
    expect(text).toContain(`sortie_rpc_request_bytes_total{${check}} ${2 * 10 + 5 + 18}`);
    expect(text).toContain("process_resident_memory_bytes");
    expect(calls[0]).toMatchObject({ requestBytes: 10, code: "ok" });
    expect(calls[0]!.responseBytes).toBeGreaterThan(5);
  });

  it("show the application's own numbers as they are at the time", async () => {
    let queued = 3;
    const { url } = await start({
      readGauges: () => [
        { name: "sortie_jobs", help: "Jobs by state.", values: [{ labels: { state: "queued" }, value: queued }] },
      ],
    });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('sortie_jobs{state="queued"} 3');
    queued = 0;
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('sortie_jobs{state="queued"} 0');
  });

  it("call a call that its client left canceled", async () => {
    const calls: FinishedCall[] = [];
    const { app, transport } = await start({ onCallFinished: (call) => calls.push(call) });
    const cancel = new AbortController();
    const wait = createClient(CuOptRemoteService, transport).waitForCompletion({}, { signal: cancel.signal });
    await vi.waitUntil(() => app.waiting() === 1);
    cancel.abort();
    await wait.catch(() => {});
    await vi.waitUntil(() => calls.length === 1);
    expect(calls[0]).toMatchObject({ code: "canceled", method: `${CUOPT}/WaitForCompletion` });
  });
});
