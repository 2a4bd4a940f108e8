// Puts the stacks together, in the order in which they need each other.
import { DEFAULT_PLACEMENT } from "../packages/core/src/placement.ts";
import { createAlarms } from "./alarms.ts";
import { createApi, createInfer } from "./api.ts";
import { type Bundles, bundleAll } from "./bundle.ts";
import { createCompute } from "./compute.ts";
import { createBus, createDeadLetters, createEvents, createSolve } from "./events.ts";
import type { Site } from "./functions.ts";
import { createHost } from "./host.ts";
import { createImage } from "./image.ts";
import { createNetwork } from "./network.ts";
import { GPU_MACHINES, readOptions } from "./options.ts";
import { createStorage } from "./storage.ts";
import type { Environment } from "./types.ts";

/**
 * @param bundle where the bundled code lies; bundles it now if it is not given
 * @returns what an operator needs to know of the stage; SST prints it
 */
export function deploy(bundle: (withHost: boolean) => Bundles = bundleAll) {
  const options = readOptions($app.stage, process.env);
  const bundles = bundle(options.hostCertificate !== undefined);
  const site: Site = { options, bundles };
  // From it each tenant's webhook secret is derived. Set it with `sst secret set`; without it webhooks are refused.
  const webhooks = new sst.Secret("WebhookSecret", "");
  const storage = createStorage(options);
  const bus = createBus();
  const dead = createDeadLetters();
  const network = createNetwork();
  const image = createImage(options);
  const compute = createCompute({ options, storage, network, image });

  const memoryMiB = DEFAULT_PLACEMENT.inline.memoryBytes / 2 ** 20;
  const machine = options.gpu && GPU_MACHINES[options.gpu.instanceType];
  const base: Environment = {
    SORTIE_TABLE: storage.table.name,
    SORTIE_BUCKET: storage.bucket.name,
    SORTIE_EVENT_BUS: bus.name,
    SORTIE_AUTH: options.auth,
    SORTIE_CPU_QUEUE: compute.cpu.queue,
    SORTIE_CPU_DEFINITION: compute.cpu.definition,
    SORTIE_FAIR_SHARE: "1",
    SORTIE_SOLVE_MEMORY_MIB: String(memoryMiB),
    ...(compute.gpu && machine
      ? {
          SORTIE_GPU_QUEUE: compute.gpu.queue,
          SORTIE_GPU_DEFINITION: compute.gpu.definition,
          SORTIE_GPU_VCPUS: String(machine.vcpus),
          SORTIE_GPU_MEMORY_MIB: String(machine.memoryMiB),
        }
      : {}),
    ...options.limits,
  };
  const solve = createSolve(site, storage, dead, memoryMiB, base);
  const environment: Environment = {
    ...base,
    SORTIE_SOLVE_FUNCTION: solve.name,
    SORTIE_WEBHOOK_SECRET: webhooks.value,
    ...options.pipelines,
  };
  const infer = createInfer(site, storage, base);
  const rpc = createApi(site, storage, infer, environment);
  const others = createEvents({ site, storage, compute, bus, dead, solve, environment });
  const host = createHost({ site, storage, network, image, environment });
  createAlarms({ options, table: storage.table.name, functions: { rpc, infer, solve, ...others }, dead });
  return {
    url: rpc.url,
    host: host ?? "none; see SORTIE_STACK_HOST_CERTIFICATE",
    table: storage.table.name,
    bucket: storage.bucket.name,
    events: bus.name,
  };
}
