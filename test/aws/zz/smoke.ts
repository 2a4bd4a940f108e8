import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { CuOptRemoteService } from "@sortie/wire";
import { LambdaServer } from "../../conformance/lambda-server.ts";

const s = await new LambdaServer([]).start();
const c = createClient(
  CuOptRemoteService,
  createConnectTransport({ baseUrl: s.url(), httpVersion: "1.1", interceptors: [...s.interceptors] }),
);
await c.checkStatus({ jobId: "x" }).catch((e) => console.log(String(e)));
console.log(s.log.slice(0, 3000));
await s.dispose();
