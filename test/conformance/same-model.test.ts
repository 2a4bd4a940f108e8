// The chunked and the unary way give the identical model: every array byte by byte, and everything else of the job.
import { describe, expect, it, onTestFinished } from "vitest";
import { openSession, sharedServer } from "./harness.ts";
import { HOSTS } from "./hosts.ts";
import { afiro, instance, type Model, sudoku, tinyLp } from "./models.ts";
import { storedInput, storedWork } from "./stored.ts";

const server = sharedServer("--workers", "2");

const MODELS: readonly (readonly [string, Model])[] = [
  ["an LP with names", { ...afiro(), problemName: "afiro", objectiveOffset: -7.5, objectiveScalingFactor: 2 }],
  ["a MIP", instance("p0201")],
  ["a MIP with bounds at infinity", instance("flugpl")],
  ["a QP", instance("qafiro")],
  ["a model with many chunks", sudoku()],
  [
    "a model with a right-hand side and row types",
    {
      ...tinyLp(),
      arrays: {
        ...tinyLp().arrays,
        b: Float64Array.of(4, 6),
        row_types: Uint8Array.from(Buffer.from("LL")),
        constraint_lower_bounds: new Float64Array(0),
        constraint_upper_bounds: new Float64Array(0),
      },
    },
  ],
];

describe.each(
  HOSTS.flatMap((host) =>
    host.transports.filter(({ only }) => !only).map((transport) => ({ host: host.name, transport })),
  ),
)("on $host, over $transport.name", ({ host, transport }) => {
  it.each(MODELS)("%s is the same in one message and in chunks", async (_, model) => {
    const session = openSession(await server.get(host), transport, {});
    onTestFinished(() => session.close());
    const options = { lp: { timeLimit: 60 }, mip: { timeLimit: 60 }, incumbents: true };
    const unary = await session.submit(model, options);
    const chunked = await session.upload(model, 512, options);
    const [one, other] = await Promise.all([unary, chunked].map(async (id) => storedInput(await server.get(host), id)));
    expect([...other!.keys()].sort()).toEqual([...one!.keys()].sort());
    for (const [name, bytes] of one!) expect(Buffer.compare(bytes, other!.get(name)!), name).toBe(0);
    const [work, otherWork] = await Promise.all(
      [unary, chunked].map(async (id) => storedWork(await server.get(host), id)),
    );
    expect(otherWork).toEqual(work);
  });
});
