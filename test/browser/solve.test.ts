// The client in a browser: it solves a MIP on a server of another origin, and does nothing else.
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, problemMessage } from "../../packages/cli/src/model-file.ts";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import { openBrowser } from "./chromium.ts";
import { bundleOf, openPage, openSite, type Site } from "./site.ts";
import type { ProblemJson, SolvedInBrowser } from "./solve-page.ts";

/** Of the page. */
declare const solve: (server: string, protocol: "connect" | "grpc-web") => Promise<SolvedInBrowser>;

/** The MIP of the demo, and its known optimum. */
const MODEL = fileURLToPath(new URL("../data/lp/p0201.mps.gz", import.meta.url));
const OPTIMUM = 7615;

async function problemJson(): Promise<string> {
  const { problem } = await loadModel(MODEL, new AbortController().signal);
  const { arrays, ...rest } = problemMessage(problem, "mip", {});
  const typed = [...arrays].map(([id, array]) => [id, array.constructor.name, [...array].map(String)]);
  return JSON.stringify({ ...rest, arrays: typed as unknown as ProblemJson["arrays"] });
}

const stack = new AsyncDisposableStack();
let browser: Browser;
let site: Site;
let server: EmbeddedServer;
let bundleBytes: number;
beforeAll(async () => {
  browser = await openBrowser();
  stack.defer(() => browser.close());
  const program = await bundleOf("solve-page.ts");
  bundleBytes = program.byteLength;
  site = stack.use(await openSite(program, { "/problem.json": await problemJson() }));
  server = new EmbeddedServer(["--workers", "1", "--cors-origins", site.origin]);
  stack.defer(() => server.dispose());
  await server.start();
});
afterAll(() => stack.disposeAsync());

describe("a page with the client", () => {
  it.each(["connect", "grpc-web"] as const)("solves the demo MIP over %s", async (protocol) => {
    await using watched = await openPage(browser, site);
    const solved = await watched.page.evaluate(([address, how]) => solve(address, how), [
      server.url(),
      protocol,
    ] as const);
    expect(solved).toMatchObject({ isSortie: true, objective: OPTIMUM, values: 201 });
    expect(solved.incumbents.at(-1)).toBe(OPTIMUM);
    expect(solved.incumbents).toEqual([...solved.incumbents].sort((a, b) => b - a));
    expect(solved.logLines).toBeGreaterThan(5);
    expect(watched.faults).toEqual([]);
    // It asks nobody but its own site and the server, and shows nothing but its own page.
    expect([...watched.origins].sort()).toEqual([server.url(), site.origin].sort());
    expect(watched.page.frames()).toHaveLength(1);
    expect(await watched.page.locator("body").innerText()).toBe(`Objective: ${OPTIMUM}`);
  });

  it("is refused by a server that does not name its origin, and is told so", async () => {
    await using other = await openSite(await bundleOf("solve-page.ts"), { "/problem.json": await problemJson() });
    await using watched = await openPage(browser, other);
    const refused = watched.page.evaluate((address) => solve(address, "connect"), server.url());
    await expect(refused).rejects.toThrow(new RegExp(server.url()));
  });

  it("needs less than a megabyte of program", () => {
    expect(bundleBytes).toBeLessThan(1_000_000);
  });
});
