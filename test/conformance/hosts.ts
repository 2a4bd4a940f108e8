// Where the scenarios run: a host is one way of serving Sortie, reached through one or more protocols. Another host is
// another row here, and gets its columns in the report.

export interface TransportChoice {
  readonly name: string;
  readonly protocol: "grpc" | "connect";
}

export interface HostChoice {
  readonly name: string;
  readonly title: string;
  readonly transports: readonly TransportChoice[];
}

export const HOSTS: readonly HostChoice[] = [
  {
    name: "embedded",
    title: "`sortie serve` on the embedded platform; gRPC over HTTP/2, Connect over HTTP/1.1",
    transports: [
      { name: "gRPC", protocol: "grpc" },
      { name: "Connect", protocol: "connect" },
    ],
  },
];
