// Group L: a server that goes away, and comes back.
import { once } from "node:events";
import { RemoteError } from "@sortie/client";
import { describe, expect, onTestFinished } from "vitest";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import { TINY_LP_OBJECTIVE, tinyLp } from "../conformance/models.ts";
import { clientOf, faultOf, PROTOCOLS, scenario, until } from "./harness.ts";
import { messageOf } from "./messages.ts";
import { type ScriptedServer, scriptedServer } from "./scripted-server.ts";

scenario("L1", async () => {
  const server = new EmbeddedServer([]);
  onTestFinished(() => server.dispose());
  await server.start();
  const address = `127.0.0.1:${server.port}`;
  const before = await clientOf({ address });
  await before.solve(messageOf(tinyLp()));
  await server.stop();
  const error = await faultOf(before.status("job-1"));
  expect(error).toMatchObject({ code: "unavailable" });
  await server.start();
  const { result } = await (await clientOf({ address })).solve(messageOf(tinyLp()));
  expect(result).toMatchObject({ kind: "lp", scalars: { primalObjective: expect.closeTo(TINY_LP_OBJECTIVE, 6) } });
  // The client that was there before finds its way back as well.
  expect(await before.status("job-1")).toMatchObject({ state: "not-found" });
});

describe.each(PROTOCOLS)("over %s", (protocol) => {
  scenario("L2", async () => {
    const server: ScriptedServer = await scriptedServer(
      {
        waitForCompletion: () => new Promise(() => undefined),
        async *streamLogs(_, { signal }) {
          yield { line: "one", byteOffset: 4n };
          if (!signal.aborted) await once(signal, "abort");
        },
      },
      { protocol },
    );
    const client = await clientOf(server);
    const waited = faultOf(client.waitForCompletion("job-1"));
    const logged = faultOf(Array.fromAsync(client.logs("job-1")));
    await until(() => server.methods.length === 2, "both calls have arrived");
    await server.crash();
    for (const error of [await waited, await logged, await faultOf(client.status("job-1"))]) {
      expect(error).toBeInstanceOf(RemoteError);
      expect((error as RemoteError).text).not.toBe("");
    }
  });
});
