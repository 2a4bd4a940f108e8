// The process of a run's cloud: prints the address of its control port, and ends with its standard input.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Cloud } from "../aws/cloud.ts";
import { CLOUD_OPTIONS, type CloudFacts } from "./cloud-control.ts";

let opened: Promise<Cloud> | undefined;
let host: Promise<number> | undefined;

async function answer(path: string): Promise<unknown> {
  // Whoever asks first waits for its start.
  opened ??= Cloud.open(CLOUD_OPTIONS);
  const cloud = await opened;
  switch (path) {
    case "/cloud": {
      const { endpoint, settings, url } = cloud;
      return { endpoint, settings, url: `http://127.0.0.1:${url.port}` } satisfies CloudFacts;
    }
    case "/host":
      host ??= cloud.startHost();
      return { url: `http://127.0.0.1:${await host}` };
    case "/down":
      return cloud.takeDown();
    case "/up":
      return cloud.bringUp();
    case "/log":
      return cloud.log;
    default:
      throw new Error(`there is no ${path}`);
  }
}

const server = createServer((request, response) => {
  answer(request.url ?? "").then(
    (value) => response.end(JSON.stringify(value ?? null)),
    (error) => response.writeHead(500).end(String((error as Error).stack)),
  );
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);

process.stdin.resume();
await once(process.stdin, "end");
server.close();
server.closeAllConnections();
const cloud = await opened?.catch(() => undefined);
await cloud?.[Symbol.asyncDispose]();
process.exit(0);
