// Where the scenarios run: a host is one way of serving Sortie, reached through one or more protocols. Another host is
// another row here, and gets its columns in the report.

export interface TransportChoice {
  readonly name: string;
  readonly protocol: "grpc" | "connect" | "grpc-web";
  /** The scenarios that are proved over this transport as well, where it is not all of them. */
  readonly only?: RegExp;
}

export type HostName = "embedded" | "Lambda";

export interface HostChoice {
  readonly name: HostName;
  readonly title: string;
  readonly transports: readonly TransportChoice[];
  /** The largest message that it tells clients by default, in bytes. */
  readonly maxMessageBytes: number;
  /** Scenarios, by number, that cannot be proved on this host, and why. */
  readonly notApplicable: Readonly<Record<string, string>>;
}

const TLS = "AWS ends TLS before the function, with certificates of its own, and asks for none of the client's";

export const HOSTS: readonly HostChoice[] = [
  {
    name: "embedded",
    title: "`sortie serve` on the embedded platform; gRPC over HTTP/2, Connect over HTTP/1.1",
    transports: [
      { name: "gRPC", protocol: "grpc" },
      { name: "Connect", protocol: "connect" },
    ],
    maxMessageBytes: 256 * 1024 * 1024,
    notApplicable: {},
  },
  {
    name: "Lambda",
    title:
      "the functions behind a function URL, with workers in Batch, on emulators; Connect over HTTP/1.1, and gRPC-Web where " +
      "its framing shows. Native gRPC is not applicable because a function URL has no trailers",
    transports: [
      { name: "Connect", protocol: "connect" },
      // Its framing of messages, errors and streams is all that differs.
      { name: "gRPC-Web", protocol: "grpc-web", only: /^([ABC]\d+|H[1678])$/ },
    ],
    maxMessageBytes: 4 * 1024 * 1024,
    notApplicable: {
      A6: "AWS keeps the connections of a function URL, and its pings are AWS's to answer",
      K1: TLS,
      K2: TLS,
      K3: TLS,
      K5: TLS,
      K6: TLS,
      K7: TLS,
      K9: "there are no TLS settings",
      L7: "a function URL has no port that could be taken",
      L8: "no process serves for long, so none is asked to stop; workers are, in the fault tests",
    },
  },
];

/** Why this scenario is not proved here; undefined if it is. Empty: another transport of the host proves it. */
export function reasonAgainst(number: string, host: HostChoice, transport: TransportChoice): string | undefined {
  const { only } = transport;
  return host.notApplicable[number] ?? (only === undefined || only.test(number) ? undefined : "");
}
