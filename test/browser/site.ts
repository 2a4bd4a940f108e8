// A page in a browser: its program is bundled for browsers, served from an origin of its own, and watched.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";

/** The program as one module for browsers. Fails where it needs something that only Node has. */
export async function bundleOf(program: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(program, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2024",
    conditions: ["sortie-source"],
    minify: true,
    logLevel: "silent",
  });
  return outputFiles[0]!.contents;
}

export interface Site extends AsyncDisposable {
  /** "http://127.0.0.1:40123" */
  readonly origin: string;
}

/** Serves an empty page with this program, and the data that it fetches. */
export async function openSite(
  program: Uint8Array,
  data: Readonly<Record<string, string | Uint8Array>>,
): Promise<Site> {
  const page =
    '<!doctype html><meta charset="utf-8"><title>Sortie</title><body><script type="module" src="/page.js"></script>';
  const files = new Map<string, readonly [string, string | Uint8Array]>([
    ["/", ["text/html", page]],
    ["/page.js", ["text/javascript", program]],
    ["/favicon.ico", ["image/x-icon", ""]],
    ...Object.entries(data).map(([path, body]) => [path, ["application/octet-stream", body]] as const),
  ]);
  const server = createServer((request, response) => {
    const [type, body] = files.get(request.url ?? "") ?? ["text/plain", undefined];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Origins that the page has asked anything of. */
  readonly origins: ReadonlySet<string>;
  /** Errors on its console, and those that nothing caught. */
  readonly faults: readonly string[];
}

/** Opens the site's page in a context of its own, and waits until its program has run. */
export async function openPage(browser: Browser, site: Site): Promise<WatchedPage> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const origins = new Set<string>();
  const faults: string[] = [];
  page.on("request", (request) => origins.add(new URL(request.url()).origin));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(`${site.origin}/`, { waitUntil: "load" });
  return { page, origins, faults, [Symbol.asyncDispose]: () => context.close() };
}
