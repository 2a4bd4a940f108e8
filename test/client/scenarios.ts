// The acceptance scenarios that have a client for a side, by their numbers: what must hold, and why one has no meaning here.
// The tests of this folder take their names from this list, and the report follows its order.
import type { Group, Scenario } from "../conformance/scenarios.ts";

/** Against what a scenario is held. */
export type Opposite = "scripted" | "sortie" | "none";

export interface ClientScenario extends Scenario {
  readonly against: Opposite;
}

export interface ClientGroup extends Group {
  readonly scenarios: readonly ClientScenario[];
}

/** Against a server whose answers the test writes. */
const scripted = (number: string, title: string): ClientScenario => ({ number, title, against: "scripted" });
/** Against Sortie's own server. */
const real = (number: string, title: string): ClientScenario => ({ number, title, against: "sortie" });
/** Without any server. */
const alone = (number: string, title: string): ClientScenario => ({ number, title, against: "none" });
const not = (number: string, title: string, notApplicable: string): ClientScenario => ({
  number,
  title,
  notApplicable,
  against: "none",
});

export const GROUPS: readonly ClientGroup[] = [
  {
    letter: "A",
    title: "Connection",
    scenarios: [
      alone("A2", "a closed port is a connection error that names the address"),
      scripted("A3", "before connecting and after closing a client is not connected, and calls cause no traffic"),
      scripted("A4", "a probe answered with code NOT_FOUND counts as connected"),
      scripted("A5", "a probe answered with code INTERNAL counts as not connected, and its text is told"),
    ],
  },
  {
    letter: "B",
    title: "Unknown ids",
    scenarios: [
      real("B2", "a cancel of an unknown job reports that nothing was cancelled"),
      real("B3", "a deletion of an unknown job reports that nothing was deleted, and says that it was not found"),
    ],
  },
  {
    letter: "C",
    title: "Solving",
    scenarios: [
      real("C1", "an LP is solved by polling"),
      real("C2", "an LP is solved by waiting, and the wait tells the size of the result"),
      real("C3", "a solve in one call leaves no job behind"),
      real("C4", "a job goes step by step from its id to its deletion"),
      real("C5", "a result before the end is told as not ready yet"),
      real("C6", "crossed bounds come back as infeasible"),
      real("C7", "a MIP is solved to its optimum"),
      real("C8", "solves follow each other on one connection"),
      real("C9", "jobs of two clients at once do not mix"),
      scripted("C10", "the warm-start arrays of a PDLP result arrive, in one message and in slices alike"),
      real("C11", "a result can be read again and again, whole or in slices"),
      real("C12", "the LP arm solves integer variables as continuous"),
      real("C13", "objectives are in the user's sense, with offset and scaling"),
      real("C14", "a time limit ends a MIP long before the client's own time-out"),
      scripted("C15", "without a time limit +inf is sent, and polling has no limit"),
      real("C16", "an inconsistent matrix is a clear error, and the server goes on"),
      real("C17", "a model that would kill a worker is a clear error, and the next job is solved"),
      real("C18", "a convex quadratic objective is minimised without a factor one half"),
      real("C19", "a convex quadratic that is to be maximised ends as a numerical error"),
    ],
  },
  {
    letter: "E",
    title: "Chunked upload",
    scenarios: [
      scripted("E4", "a small model travels in one message"),
      scripted("E5", "a model above the threshold travels as start, chunks, finish"),
      scripted("E6", "chunks stay within nine tenths of the server's limit"),
    ],
  },
  {
    letter: "G",
    title: "Download",
    scenarios: [
      scripted("G1", "a small result is fetched in one message"),
      scripted("G4", "a result that one message cannot hold is fetched in slices after all"),
      scripted("G5", "a download that does not start is an error with the server's text"),
      scripted("G16", "malformed slices are an error, never a hang and never a part of a result"),
      scripted("G17", "after a short slice the download goes on from what came"),
      scripted("G18", "a finish that fails does not cost the result"),
    ],
  },
  {
    letter: "H",
    title: "Logs",
    scenarios: [
      scripted("H3", "three lines are three deliveries, and the last is flagged"),
      scripted("H4", "a callback that says stop ends the stream, and that is no failure"),
      scripted("H5", "a stream that ends at once is a success without a line"),
    ],
  },
  {
    letter: "I",
    title: "Incumbents",
    scenarios: [
      scripted("I1", "entries are passed on with index, objective and assignment"),
      scripted("I2", "nothing new is an empty list and the same index"),
      scripted("I3", "an odd index is passed on"),
      real("I4", "a callback sees incumbents that do not get worse"),
      real("I5", "a callback that says stop cancels the job, and the solve ends with that error"),
      scripted(
        "I12",
        "entries that come between the last poll and the end are delivered, once, before the solve returns",
      ),
      real("I13", "an iteration over incumbents ends after the job, and equals what is read afterwards"),
    ],
  },
  {
    letter: "J",
    title: "Client robustness",
    scenarios: [
      scripted("J1", "states are mapped and the size is taken over"),
      scripted("J2", "an error of a status call is told with its text, and nothing is repeated"),
      scripted("J3", "a transient error does not stick"),
      scripted("J4", "an unknown state number reads as not found"),
      scripted("J5", "an error of a cancel is told with its text"),
      scripted("J6", "an error of a deletion is told with its text"),
      scripted("J7", "every answer of a wait is reported as what it is"),
      scripted("J8", "an error of a result is told with its text"),
      scripted("J9", "a submission gives its id, fails with the server's text, and never takes an empty id"),
      scripted("J10", "solving by polling fetches the result and deletes the job exactly once"),
      scripted("J11", "a failed solve tells the reason and asks for no result"),
      scripted("J12", "a refused submission is an error at once"),
      scripted("J13", "a solution of the wrong kind is an error"),
      scripted("J14", "a success without a solution is an error"),
      scripted("J15", "a job that vanishes while it is polled is an error"),
      scripted("J16", "a client's time-out neither cancels nor deletes the job, and a cancel still works"),
      scripted("J17", "waits and logs are not cut by the deadline of other calls"),
    ],
  },
  {
    letter: "K",
    title: "Encryption",
    scenarios: [
      real("K1", "a client that trusts the authority connects over TLS"),
      real("K2", "a problem is solved over TLS"),
      real("K3", "a client in clear text does not connect to a TLS server"),
      scripted("K4", "a client that trusts another authority does not connect"),
      real("K5", "a client with a certificate of the right authority connects and solves"),
      real("K6", "a client without a certificate is refused where one is required, and nothing is executed"),
      real("K7", "where a certificate is optional none is fine and a bad one is refused"),
      alone("K8", "half a client certificate is a configuration error"),
      scripted("K10", "a certificate with a common name only is refused"),
    ],
  },
  {
    letter: "L",
    title: "Restart and failure",
    scenarios: [
      real("L1", "after a restart on the same port a new connection solves"),
      scripted("L2", "a server that goes away in the middle of a call is an error with a text, not a hang"),
    ],
  },
  {
    letter: "M",
    title: "Settings and mapping",
    scenarios: [
      scripted("M1", "every LP setting survives the way to a server, in one message and in chunks"),
      scripted("M2", "no iteration limit is -1 on the wire"),
      scripted("M3", "every MIP setting survives the way to a server, in one message and in chunks"),
      scripted("M4", "no node limit is -1 on the wire"),
      scripted("M5", "a problem survives the way to a server: types, names, both forms of row bounds"),
      scripted("M6", "an LP solution survives the way home: scalars, arrays, warm start"),
      scripted("M7", "a MIP solution survives the way home: scalars and array"),
      scripted("M8", "typed settings refuse what a server would clamp; values by wire name are the server's to clamp"),
      scripted("M9", "default settings, the probe and chunks are the known byte strings, zeros added"),
      scripted("M10", "a setting that is off is sent as zero, never left out"),
      scripted("M11", "one setting given: all others are sent with their defaults"),
      scripted("M12", "false that is given stays false, in settings after 26.04 as well"),
      scripted("M13", "no setting given: every default is sent, and nothing after 26.04"),
      scripted("M14", "typed settings refuse a symmetry outside of -1 to 2"),
      scripted("M15", "a server never mistakes what an absent setting of this client means"),
    ],
  },
  {
    letter: "N",
    title: "Command line, environment",
    scenarios: [
      real("N1", "a machine without a graphics processor solves an LP and a MIP by host and port, duals included"),
      real("N2", "the command solves an LP remotely and says so"),
      real("N3", "the command solves a MIP remotely"),
      real("N4", "the command solves over TLS and mutual TLS, and is refused without a client certificate"),
      real("N5", "an LP with method PDLP, then a MIP, have their statuses and objectives"),
      real("N6", "with only a host or only a port the command solves locally"),
      alone("N7", "numbers in the environment count by their leading digits and their range"),
      alone("N8", "a message limit that is too small is raised to 4 MiB"),
      not("N9", "a server in a container", "about the image, which `npm run check:container` runs"),
      real(
        "N10",
        "a job as an object: id, nothing before the end, result, variables by name, deletion, errors afterwards",
      ),
      not(
        "N11",
        "the server's start-up helper",
        "about the original's packaging; flags and variables are in docs/server-settings.md",
      ),
    ],
  },
];

export const SCENARIOS: ReadonlyMap<string, ClientScenario> = new Map(
  GROUPS.flatMap(({ scenarios }) => scenarios.map((scenario) => [scenario.number, scenario] as const)),
);
