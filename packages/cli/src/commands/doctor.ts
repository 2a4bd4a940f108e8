// `sortie doctor`: can the server be reached, and what is wrong if not.
import { readFileSync } from "node:fs";
import { type ClosableTransport, transportTo } from "@sortie/client/node";
import { coloured } from "../colours.ts";
import type { OptionTable } from "../command.ts";
import { UsageError } from "../connect.ts";
import { type Check, checksOf, type Target } from "../doctor-checks.ts";
import { EXIT_DONE, EXIT_FAULT } from "../exit-codes.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, type ServerSettings, secondsOf, serverSettings } from "../job-client.ts";
import { jsonDocument } from "../json.ts";
import { parseOptions } from "../options.ts";
import { runCommand } from "../run-command.ts";

const HELP = `usage: sortie doctor [OPTION ...]

Looks at the way to a server, step by step: its name, the connection, TLS and how long the certificate is good, the protocols
it speaks, what it is, whether the access token is accepted, the largest message, health, the difference of the clocks, and
how long a small call takes. What is not in order comes with what to do about it. It submits nothing.

  --timeout SECONDS    how long one step may take (default 5)
${CLIENT_OPTIONS_HELP}  --json               one JSON document: { "server", "from", "ok", "checks": [ { "name", "state", "text", "advice" } ] }, where a
                       state is ok, warn or fail

Exit codes: 0 nothing fails, warnings or not; 1 something fails, or a fault in the options; 130 interrupted.
`;

export const OPTIONS = { ...CLIENT_OPTIONS, timeout: { type: "string" } } as const satisfies OptionTable;

const DEFAULT_TIMEOUT_SECONDS = 5;

export function doctor(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async (signal) => {
    const { values, positionals } = await parseOptions("doctor", args, OPTIONS);
    if (positionals.length > 0) {
      throw new UsageError(
        `doctor takes no arguments; found ${positionals.join(", ")} (--server ADDRESS names a server)`,
      );
    }
    const timeoutMs = 1000 * (secondsOf("timeout", values.timeout) ?? DEFAULT_TIMEOUT_SECONDS);
    const settings = serverSettings("doctor", values);
    using target = openTarget(settings, timeoutMs);
    const { address } = settings;
    const from = sourceOf(values.server);
    if (!values.json) process.stdout.write(`${address} (${from})\n`);
    const checks: Check[] = [];
    for await (const check of checksOf(target, signal)) {
      checks.push(check);
      if (!values.json) process.stdout.write(lineOf(check));
    }
    const ok = checks.every(({ state }) => state !== "fail");
    if (values.json) process.stdout.write(jsonDocument({ server: address, from, ok, checks }));
    return ok ? EXIT_DONE : EXIT_FAULT;
  });
}

/** Who named the server. */
function sourceOf(option: string | undefined): string {
  if (option !== undefined) return "--server";
  return process.env["SORTIE_SERVER"] ? "SORTIE_SERVER" : "CUOPT_REMOTE_HOST and CUOPT_REMOTE_PORT";
}

/** @throws ConfigurationError for an address that cannot be used */
function openTarget(settings: ServerSettings, timeoutMs: number): Target & Disposable {
  const { address, tls, token, maxMessageBytes } = settings;
  transportTo({ address, tls, maxMessageBytes }).close(); // Says whether the address can be used at all.
  const isUrl = /^https?:\/\//.test(address);
  const { hostname, port, protocol: scheme } = new URL(isUrl ? address : `${tls ? "https" : "http"}://${address}`);
  const hasTls = scheme === "https:";
  const place = `${hostname}:${port || (hasTls ? 443 : 80)}`;
  const open = new Map<string, ClosableTransport>();
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (hasTls ? 443 : 80)),
    protocol: isUrl ? "connect" : "grpc",
    tls: hasTls ? { root: tls?.rootCert, cert: tls?.clientCert, key: tls?.clientKey } : undefined,
    hasToken: token !== undefined,
    version: versionOf(),
    timeoutMs,
    transport(protocol, { withoutToken = false } = {}) {
      const key = `${protocol} ${withoutToken}`;
      const transport =
        open.get(key) ??
        transportTo({
          address: protocol === "grpc" ? place : isUrl ? address : `${scheme}//${place}`,
          protocol,
          tls: hasTls ? (tls ?? true) : undefined,
          token: withoutToken ? undefined : token,
          maxMessageBytes,
        });
      open.set(key, transport);
      return transport;
    },
    [Symbol.dispose]() {
      for (const transport of open.values()) transport.close();
    },
  };
}

const versionOf = (): string =>
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;

const NAME_WIDTH = 10;

function lineOf({ name, state, text, advice }: Check): string {
  const first = `${coloured(state, state.padEnd(4))}  ${name.padEnd(NAME_WIDTH)}  ${text}\n`;
  return advice === undefined ? first : `${first}${"".padEnd(NAME_WIDTH + 8)}${advice}\n`;
}
