// grpc.health.v1: whether the server, and each of its services, takes calls.
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { Health as HealthService, HealthCheckResponse_ServingStatus as ServingStatus } from "@sortie/wire";

export interface Health {
  /** Says that the server takes calls, or that for now it does not (a full disk, for instance). */
  set(serving: boolean): void;
  /** The server stops: not serving, for good. */
  stop(): void;
  readonly isServing: boolean;
  /** Adds the service to a router. */
  routes(router: ConnectRouter): void;
}

/**
 * @param serviceNames the services that can be asked for by name; the empty name is the server as a whole
 * @param watchMs a watch ends by itself after so many milliseconds; default: never
 */
export function createHealth(serviceNames: () => readonly string[], watchMs?: number): Health {
  let serving = true;
  let stopped = false;
  const wakers = new Set<() => void>();
  const statusNow = () => (serving && !stopped ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  const isKnown = (service: string) => service === "" || serviceNames().includes(service);
  const wake = () => {
    for (const waker of [...wakers]) waker();
  };

  async function* watch(service: string, context: HandlerContext) {
    const over = watchMs === undefined ? undefined : AbortSignal.timeout(watchMs);
    let last: ServingStatus | undefined;
    for (;;) {
      const status = isKnown(service) ? statusNow() : ServingStatus.SERVICE_UNKNOWN;
      if (status !== last) yield { status };
      last = status;
      context.signal.throwIfAborted();
      if ((isKnown(service) ? statusNow() : ServingStatus.SERVICE_UNKNOWN) !== last) continue; // Changed while sending.
      if (over?.aborted) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          wakers.delete(done);
          context.signal.removeEventListener("abort", done);
          over?.removeEventListener("abort", done);
          resolve();
        };
        wakers.add(done);
        context.signal.addEventListener("abort", done, { once: true });
        over?.addEventListener("abort", done, { once: true });
      });
      context.signal.throwIfAborted();
    }
  }

  return {
    set(value) {
      serving = value;
      wake();
    },
    stop() {
      stopped = true;
      wake();
    },
    get isServing() {
      return serving && !stopped;
    },
    routes(router) {
      router.service(HealthService, {
        check({ service }) {
          if (isKnown(service)) return { status: statusNow() };
          throw new ConnectError(`this server has no service "${service}"`, Code.NotFound);
        },
        watch: ({ service }, context) => watch(service, context),
        list: () => ({
          statuses: Object.fromEntries(["", ...serviceNames()].map((name) => [name, { status: statusNow() }])),
        }),
      });
    },
  };
}
