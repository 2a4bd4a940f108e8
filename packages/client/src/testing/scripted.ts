// A server in the test's own process whose answers the test writes, and a client of it.
import { type ConnectRouter, createRouterTransport, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { CuOptRemoteService, JobStatus } from "@sortie/wire";
import { onTestFinished } from "vitest";
import { SortieClient } from "../client.ts";
import { VERSION_HEADER } from "../context.ts";
import type { ClientOptions } from "../limits.ts";

export type Answers = Partial<ServiceImpl<typeof CuOptRemoteService>>;

export interface ScriptedOptions extends ClientOptions {
  /** The server says that it is Sortie. */
  readonly sortie?: boolean;
  /** Services beside the solver's. */
  readonly routes?: (router: ConnectRouter) => void;
}

export interface Scripted {
  readonly transport: Transport;
  /** Names of the methods that were called, in order, but for the probe. */
  readonly calls: string[];
  /** Of each call, in the same order. */
  readonly headers: Headers[];
}

const PROBE_ID = "__connection_probe__";

export function scripted(answers: Answers, { sortie = false, routes }: ScriptedOptions = {}): Scripted {
  const calls: string[] = [];
  const headers: Headers[] = [];
  const transport = createRouterTransport(
    (router) => {
      router.service(CuOptRemoteService, {
        ...answers,
        checkStatus: (request, context) => {
          if (request.jobId === PROBE_ID) return { jobStatus: JobStatus.NOT_FOUND, maxMessageBytes: 1_000_000n };
          if (!answers.checkStatus) return { jobStatus: JobStatus.COMPLETED };
          return answers.checkStatus(request, context);
        },
      });
      routes?.(router);
    },
    {
      router: {
        interceptors: [
          (next) => async (request) => {
            const isProbe = !request.stream && (request.message as { jobId?: string }).jobId === PROBE_ID;
            if (!isProbe) {
              calls.push(request.method.name);
              headers.push(request.header);
            }
            const answer = await next(request);
            if (sortie) answer.header.set(VERSION_HEADER, "9.8.7");
            return answer;
          },
        ],
      },
    },
  );
  return { transport, calls, headers };
}

/** A connected client of such a server, closed after the test. */
export async function connected(
  answers: Answers,
  options: ScriptedOptions = {},
): Promise<Scripted & { readonly client: SortieClient }> {
  const server = scripted(answers, options);
  const client = new SortieClient(server.transport, options);
  onTestFinished(() => client.close());
  await client.connect();
  return { ...server, client };
}

/** A call that is not answered before the client leaves. */
export const never = (): Promise<never> => new Promise(() => {});
