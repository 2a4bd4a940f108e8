// The server around the service: health, sizes, settings, times.
import { once } from "node:events";
import { Code, createClient } from "@connectrpc/connect";
import { cuvis, Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@sortie/wire";
import { expect, onTestFinished } from "vitest";
import { spawnSortie } from "../conformance/embedded-server.ts";
import { refused } from "../conformance/session.ts";
import { ownWorld, scenarios, sharedWorld } from "./harness.ts";
import { BANDS, cube, shapeOf, tensor, wavelengths } from "./tensors.ts";

const { DType } = cuvis;
const MIB = 1024 * 1024;
const scenario = scenarios(sharedWorld());

scenario(100, async (client) => {
  const health = createClient(Health, client.transport);
  for (const service of ["", "cuvis_ai.v1.CuvisAIService"]) {
    expect((await health.check({ service })).status).toBe(ServingStatus.SERVING);
    const leave = new AbortController();
    for await (const { status } of health.watch({ service }, { signal: leave.signal })) {
      expect(status).toBe(ServingStatus.SERVING);
      break;
    }
    leave.abort();
  }
  // The protocol of health checks says so; the original calls every name SERVING.
  await refused(health.check({ service: "nobody.has.It" }), Code.NotFound);
});

scenario(101, async (client) => {
  const normalizer = {
    nodes: [
      { name: "data", class_name: "cuvis_ai.node.data.CU3SDataNode", hparams: {} },
      { name: "heat", class_name: "cuvis_ai.node.normalization.PerPixelUnitNorm", hparams: {} },
    ],
    connections: [],
  };
  const sessionId = await client.loaded(normalizer);
  // [1, 1310, 1312, 61] of uint16 is 200 MiB; what comes back is asked to be small.
  const shape = [1, 1310, 1312, BANDS];
  const values = new Uint16Array(shape.reduce((product, size) => product * size, 1));
  expect(values.byteLength).toBeGreaterThan(199 * MIB);
  const answer = await client.infer(
    sessionId,
    {
      cube: tensor(DType.UINT16, shape, values),
      wavelengths: wavelengths(),
      extraInputs: { data: tensor(DType.FLOAT32, [1, 1, 1, 3], Float32Array.of(1, 2, 3)) },
    },
    "data.wavelengths",
  );
  expect(shapeOf(answer.outputs["data.wavelengths"])).toEqual([BANDS]);
  const tooLarge = tensor(DType.UINT8, [310 * MIB], new Uint8Array(310 * MIB));
  await refused(client.infer(sessionId, { cube: tooLarge }), Code.ResourceExhausted);
  // The connection stays usable.
  expect((await client.rpc.getPipelineInputs({ sessionId })).inputNames).toContain("cube");
});

scenario(102, async () => {
  const child = spawnSortie(["serve", "--data", "unused"], { env: { GRPC_USE_TLS: "true", GRPC_PORT: "0" } });
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (more: string) => {
    text += more;
  });
  const [code] = await once(child, "close");
  expect(code).not.toBe(0);
  expect(text).toMatch(/--tls-cert/);
  // The variables of the original's users: a port, a level, a size, and the configurations.
  const world = await ownWorld([], { env: { LOG_LEVEL: "WARNING", GRPC_MAX_MSG_SIZE: String(2 * MIB) } });
  const client = world.connect();
  onTestFinished(() => client.disconnect());
  const sessionId = await client.loaded("gradient_based");
  const large = cube([1, 160, 160, BANDS]);
  await refused(client.inferCube(sessionId, large, wavelengths()), Code.ResourceExhausted);
  await client.inferCube(sessionId, cube(), wavelengths());
});

scenario(103, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const given = [cube([1, 16, 16, BANDS]), wavelengths()] as const;
  await client.inferCube(sessionId, ...given);
  // The original's own bounds: a mean below half a second, and more than two calls per second.
  const started = performance.now();
  for (let i = 0; i < 50; i++) await client.inferCube(sessionId, ...given);
  expect((performance.now() - started) / 50).toBeLessThan(500);
});
