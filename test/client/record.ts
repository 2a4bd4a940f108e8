// Writes docs/conformance-client.md after a complete run of the client's scenarios, and fails a run that left one out.
//
// A global setup of the test project: what it returns runs once all tests have ended. A run of chosen files or tests is not
// complete; it leaves the document alone.
import { writeFileSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { completeRun, type Outcome, outcomeOf, together } from "../scenario-run.ts";
import { type ClientScenario, GROUPS, SCENARIOS } from "./scenarios.ts";

const DOCUMENT = new URL("../../docs/conformance-client.md", import.meta.url);

const WORDS = {
  scripted: "a server whose answers the test writes",
  sortie: "Sortie's own server",
  none: "–",
} as const;

export default function setup(project: TestProject): () => void {
  return () => {
    const tests = completeRun(project, new URL(".", import.meta.url));
    if (!tests) return;
    const outcomes = new Map<string, Outcome>();
    for (const test of tests) {
      const { scenario } = test.meta();
      if (scenario === undefined) continue;
      outcomes.set(scenario, together(outcomes.get(scenario) ?? "passed", outcomeOf(test)));
    }
    const missing = [...SCENARIOS.values()].filter((each) => isTested(each) && !outcomes.has(each.number));
    if (missing.length > 0) {
      console.error(`client: scenarios that did not run: ${missing.map(({ number }) => number).join(", ")}`);
      process.exitCode = 1;
      return;
    }
    writeFileSync(DOCUMENT, documentOf(outcomes));
  };
}

const isTested = ({ notApplicable }: ClientScenario): boolean => notApplicable === undefined;

function documentOf(outcomes: ReadonlyMap<string, Outcome>): string {
  const tested = [...SCENARIOS.values()].filter(isTested);
  const passed = tested.filter(({ number }) => outcomes.get(number) === "passed");
  const lines = [
    "# Conformance of the client",
    "",
    "<!-- Written by `npm test`; do not edit. -->",
    "",
    "The acceptance scenarios that have a client for a side, by their numbers, run with the TypeScript client and the `sortie`",
    "command. The scripted server of these tests is a real gRPC server whose answers each test writes call by call; it does not",
    "say that it is Sortie unless a test is about that, so the client treats it as the original. Neither the original server nor",
    "the original client was run. `docs/conformance.md` holds the server to the same list.",
    "",
    `${passed.length} of ${tested.length} scenarios that apply pass; ${SCENARIOS.size - tested.length} do not apply.`,
  ];
  for (const { letter, title, scenarios } of GROUPS) {
    lines.push("", `## ${letter}. ${title}`, "", "| # | Scenario | Against | Outcome |", "| --- | --- | --- | --- |");
    for (const { number, title: rule, against, notApplicable } of scenarios) {
      const outcome = notApplicable === undefined ? outcomes.get(number) : `not applicable: ${notApplicable}`;
      lines.push(`| ${number} | ${rule} | ${WORDS[against]} | ${outcome} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}
