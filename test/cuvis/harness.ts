// Opens worlds for tests, connects clients to their servers, and declares scenarios by their numbers on every host.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, inject, it, onTestFinished, type TestContext } from "vitest";
import type { SpawnPlace } from "../conformance/embedded-server.ts";
import type { Cuvis } from "./client.ts";
import { HOSTS, type HostName, reasonAgainst } from "./hosts.ts";
import { isTested, SCENARIOS } from "./scenarios.ts";
import { CloudWorld, EmbeddedWorld, type World } from "./worlds.ts";

export type { World } from "./worlds.ts";

declare module "vitest" {
  interface TaskMeta {
    /** Number of the scenario that a test proves, and where. */
    scenario?: string;
    host?: string;
    transport?: string;
  }
  interface ProvidedContext {
    /** The control port of the run's cloud. */
    cuvisCloud: string;
  }
}

/** Published data for tests: scenes and the weights that ship with pipelines. Undefined where there are none. */
const SHARED_DATA: string | undefined = [
  process.env["SORTIE_TEST_DATA"],
  fileURLToPath(new URL("../../../shared/data", import.meta.url)),
].find((folder) => folder !== undefined && existsSync(join(folder, "weights", "channel_selector.pt")));

/** The folder of published data; a test without it is reported as one that did not run. */
export function sharedData({ skip }: TestContext): string {
  if (SHARED_DATA === undefined) return skip("SORTIE_TEST_DATA leads to no data");
  return SHARED_DATA;
}

/** A world on each host that the tests of one file share; it opens when the first of them asks for it. */
export interface SharedWorld {
  get(): Promise<EmbeddedWorld>;
  get(host: HostName): Promise<World>;
}

export function sharedWorld(): SharedWorld {
  const opened = new Map<HostName, Promise<World>>();
  const embedded = new EmbeddedWorld([]);
  afterAll(async () => {
    const worlds = await Promise.allSettled(opened.values());
    const clouds = worlds.flatMap((world) =>
      world.status === "fulfilled" && world.value !== embedded ? world.value : [],
    );
    for (const world of clouds) await world.dispose();
    // Also what did not start has left a folder.
    await embedded.dispose();
  });
  const open = (host: HostName): Promise<World> =>
    host === "embedded" ? embedded.start() : CloudWorld.open(host, inject("cuvisCloud"));
  const get = (host: HostName = "embedded") => {
    const world = opened.get(host) ?? open(host);
    opened.set(host, world);
    return world;
  };
  return { get } as SharedWorld;
}

/** An embedded server of one test alone. */
export async function ownWorld(flags: readonly string[] = [], place: SpawnPlace = {}): Promise<EmbeddedWorld> {
  const world = new EmbeddedWorld(flags, place);
  onTestFinished(() => world.dispose());
  return world.start();
}

/** Another world on the host of a scenario, of this scenario alone. */
export async function anotherWorld(world: World, ...flags: string[]): Promise<World> {
  const another = await world.another(...flags);
  onTestFinished(() => another.dispose());
  return another;
}

/** A client that is closed after the test. */
export type Connect = (world: World) => Cuvis;

type Run = (client: Cuvis, world: World, test: TestContext, connect: Connect) => Promise<void>;

/** Declares the tests of scenarios against shared worlds, on each host and over each transport that can prove them. */
export function scenarios(shared: SharedWorld) {
  return (number: number, run: Run) => {
    const scenario = SCENARIOS.get(number);
    if (!scenario || !isTested(scenario)) throw new Error(`scenario ${number} is not listed as one with a test`);
    for (const host of HOSTS) {
      for (const transport of host.transports) {
        if (reasonAgainst(scenario, host, transport) !== undefined) continue;
        describe(`${host.name}, ${transport.name}`, () => {
          it(`${number} ${scenario.title}`, async (test) => {
            Object.assign(test.task.meta, { scenario: String(number), host: host.name, transport: transport.name });
            const world = await shared.get(host.name);
            const connect: Connect = (to) => {
              const client = to.connect(transport.protocol);
              onTestFinished(() => client.disconnect());
              return client;
            };
            await run(connect(world), world, test, connect);
          });
        });
      }
    }
  };
}
