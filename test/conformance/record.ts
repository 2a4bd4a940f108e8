// Writes docs/conformance.md after a complete run of the scenarios, and fails a run that left one out.
//
// A global setup of the test project: what it returns runs once all tests have ended. A run of chosen files or tests is not
// complete; it leaves the document alone.
import { writeFileSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { completeRun, type Outcome, outcomeOf } from "../scenario-run.ts";
import { HOSTS, reasonAgainst } from "./hosts.ts";
import { GROUPS, SCENARIOS, type Scenario } from "./scenarios.ts";

const DOCUMENT = new URL("../../docs/conformance.md", import.meta.url);

/** Where a scenario is proved: on each transport of each host that can, or once without. */
function placesOf({ number, codec }: Scenario): readonly string[] {
  if (codec) return [key(number)];
  return COLUMNS.filter(({ host, transport }) => reasonAgainst(number, host, transport) === undefined).map(
    ({ host, transport }) => key(number, host.name, transport.name),
  );
}

/** The columns of the report. */
const COLUMNS = HOSTS.flatMap((host) => host.transports.map((transport) => ({ host, transport })));

const key = (number: string, host = "", transport = ""): string => `${number}|${host}|${transport}`;

export default function setup(project: TestProject): () => void {
  return () => {
    const tests = completeRun(project, new URL(".", import.meta.url));
    if (!tests) return;

    const outcomes = new Map<string, Outcome>();
    for (const test of tests) {
      const { scenario, host, transport } = test.meta();
      if (scenario !== undefined) outcomes.set(key(scenario, host, transport), outcomeOf(test));
    }
    const expected = [...SCENARIOS.values()].filter((scenario) => scenario.notApplicable === undefined);
    const missing = expected.flatMap(placesOf).filter((place) => !outcomes.has(place));
    if (missing.length > 0) {
      const names = missing.map((place) => place.split("|").filter(Boolean).join(" over "));
      console.error(`conformance: ${missing.length} scenarios did not run: ${names.join(", ")}`);
      process.exitCode = 1;
      return;
    }
    writeFileSync(
      DOCUMENT,
      documentOf((place) => outcomes.get(place) ?? "not run"),
    );
  };
}

function documentOf(outcome: (place: string) => Outcome): string {
  const columns = COLUMNS.map(({ host, transport }) => `${host.name}, ${transport.name}`);
  const applicable = [...SCENARIOS.values()].filter((scenario) => scenario.notApplicable === undefined);
  const passed = applicable.filter((scenario) => placesOf(scenario).every((place) => outcome(place) === "passed"));
  const lines = [
    "# Conformance",
    "",
    "<!-- Written by `npm run conformance`; do not edit. -->",
    "",
    "The acceptance scenarios of the wire, by their numbers, against a real server. Where a scenario records a weakness of the",
    "original, the row says what holds here instead. A scenario about messages alone runs once, without a server.",
    "",
    `${passed.length} of ${applicable.length} scenarios that apply pass; ${SCENARIOS.size - applicable.length} do not apply.`,
    "",
    "| Host | What it is |",
    "| --- | --- |",
    ...HOSTS.map((host) => `| ${host.name} | ${host.title} |`),
  ];
  for (const { letter, title, scenarios } of GROUPS) {
    lines.push("", `## ${letter}. ${title}`, "");
    if (scenarios.every((scenario) => scenario.notApplicable !== undefined)) {
      lines.push("| # | Scenario | Not applicable because |", "| --- | --- | --- |");
      for (const each of scenarios) lines.push(`| ${each.number} | ${each.title} | ${each.notApplicable} |`);
      continue;
    }
    lines.push(
      `| # | Scenario | ${columns.join(" | ")} |`,
      `| --- | --- | ${columns.map(() => "---").join(" | ")} |`,
      ...scenarios.map((each) => `| ${each.number} | ${each.title} | ${cellsOf(each, outcome).join(" | ")} |`),
    );
  }
  return `${lines.join("\n")}\n`;
}

/** One cell for each transport of each host; what does not apply is said in the first cell that it concerns. */
function cellsOf(scenario: Scenario, outcome: (place: string) => Outcome): string[] {
  const { number, notApplicable, codec } = scenario;
  return COLUMNS.map(({ host, transport }, i) => {
    const isFirst = i === 0;
    if (notApplicable !== undefined) return isFirst ? `not applicable: ${notApplicable}` : "–";
    if (codec) return isFirst ? `${outcome(key(number))}, without a server` : "–";
    const reason = reasonAgainst(number, host, transport);
    if (reason === undefined) return outcome(key(number, host.name, transport.name));
    return reason !== "" && transport === host.transports[0] ? `not applicable: ${reason}` : "–";
  });
}
