// Where the scenarios run: a host is one way of serving pipelines, reached through one or more protocols. Each has its columns
// in the report.
import type { Scenario } from "./scenarios.ts";

export interface TransportChoice {
  readonly name: string;
  readonly protocol: "grpc" | "connect" | "grpc-web";
  /** The scenarios that are proved over this transport, where it is not all of them. */
  readonly only?: (scenario: Scenario) => boolean;
}

export type HostName = "embedded" | "Lambda" | "Fargate";

export interface HostChoice {
  readonly name: HostName;
  readonly title: string;
  readonly transports: readonly TransportChoice[];
  /** Scenarios that cannot be proved on this host, and why. */
  readonly notApplicable: Readonly<Record<number, string>>;
}

const plainForms = ({ plainForms }: Scenario): boolean => plainForms === true;
/** One for each part of the service, and those that the functions cannot have: large messages among them. */
const ON_FARGATE = [1, 3, 38, 53, 59, 64, 75, 81, 97, 100, 101, 103, 107];

export const HOSTS: readonly HostChoice[] = [
  {
    name: "embedded",
    title:
      "`sortie serve` as a process of its own; gRPC over HTTP/2, and Connect over HTTP/1.1 for the plain forms of calls",
    transports: [
      { name: "gRPC", protocol: "grpc" },
      { name: "Connect", protocol: "connect", only: plainForms },
    ],
    notApplicable: {},
  },
  {
    name: "Lambda",
    title:
      "the functions behind a function URL, with workers in Batch, on emulators; files are blobs of a tenant. Connect over " +
      "HTTP/1.1, and gRPC-Web for the plain forms of calls",
    transports: [
      { name: "Connect", protocol: "connect" },
      { name: "gRPC-Web", protocol: "grpc-web", only: plainForms },
    ],
    notApplicable: {
      60: "a store of blobs has no empty folders",
      73: "functions share no memory with their clients",
      101: "a message to a function has at most 4 MiB; larger cubes are jobs",
      102: "a function has no port and no TLS of its own",
    },
  },
  {
    name: "Fargate",
    title:
      "the host for native gRPC clients in an AWS account, as a process over the same emulators, functions and workers. It " +
      "shares its code with the two others, so a part of the scenarios is proved: one for each part of the service, and large messages",
    transports: [{ name: "gRPC", protocol: "grpc", only: ({ number }) => ON_FARGATE.includes(number) }],
    notApplicable: {},
  },
];

/** The columns of the report. */
export const COLUMNS = HOSTS.flatMap((host) => host.transports.map((transport) => ({ host, transport })));

/** Why this scenario is not proved here; undefined if it is. Empty: another column proves it. */
export function reasonAgainst(scenario: Scenario, host: HostChoice, { only }: TransportChoice): string | undefined {
  return host.notApplicable[scenario.number] ?? (only === undefined || only(scenario) ? undefined : "");
}
