// Writes docs/conformance-cuvis.md after a complete run of the scenarios, and fails a run that left one out.
//
// A global setup of the test project: what it returns runs once all tests have ended. A run of chosen files or tests is not
// complete; it leaves the document alone.
import { globSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestCase, TestProject } from "vitest/node";
import { GROUPS, isTested, SCENARIOS, type Scenario } from "./scenarios.ts";

const DOCUMENT = new URL("../../docs/conformance-cuvis.md", import.meta.url);
const TRANSPORTS = ["gRPC", "Connect"] as const;

type Outcome = "passed" | "failed" | "not run";

const key = (scenario: number | string, transport: string): string => `${scenario} over ${transport}`;
const transportsOf = ({ connectToo }: Scenario): readonly string[] => (connectToo ? TRANSPORTS : ["gRPC"]);

export default function setup(project: TestProject): () => void {
  return () => {
    const { vitest } = project;
    const modules = vitest.state.getTestModules().filter((module) => module.project.name === project.name);
    const ran = new Set(modules.map((module) => basename(module.moduleId)));
    const all = globSync("*.test.ts", { cwd: fileURLToPath(new URL(".", import.meta.url)) });
    if (vitest.config.testNamePattern !== undefined || !all.every((file) => ran.has(file))) return;

    const outcomes = new Map<string, Outcome>();
    for (const test of modules.flatMap((module) => [...module.children.allTests()])) {
      const { scenario, transport } = test.meta();
      if (scenario === undefined || transport === undefined) continue;
      const place = key(scenario, transport);
      // Several tests of one scenario: it has passed if each has.
      const outcome = outcomeOf(test);
      const before = outcomes.get(place) ?? "passed";
      outcomes.set(place, before === "passed" ? outcome : before);
    }
    const missing = [...SCENARIOS.values()]
      .filter(isTested)
      .flatMap((scenario) => transportsOf(scenario).map((transport) => key(scenario.number, transport)))
      .filter((place) => !outcomes.has(place));
    if (missing.length > 0) {
      console.error(`cuvis: ${missing.length} scenarios did not run: ${missing.join(", ")}`);
      process.exitCode = 1;
      return;
    }
    writeFileSync(
      DOCUMENT,
      documentOf((place) => outcomes.get(place) ?? "not run"),
    );
  };
}

function outcomeOf(test: TestCase): Outcome {
  const { state } = test.result();
  return state === "passed" ? "passed" : state === "failed" ? "failed" : "not run";
}

function documentOf(outcome: (place: string) => Outcome): string {
  const all = [...SCENARIOS.values()];
  const passes = (scenario: Scenario) =>
    transportsOf(scenario).every((transport) => outcome(key(scenario.number, transport)) === "passed");
  const whole = all.filter((scenario) => scenario.waitsFor === undefined);
  const partial = all.filter((scenario) => scenario.partly);
  const waiting = all.filter((scenario) => !isTested(scenario));
  const lines = [
    "# Conformance of the pipeline service",
    "",
    "<!-- Written by `npm run test:cuvis`; do not edit. -->",
    "",
    "The acceptance scenarios of CUVIS.AI's gRPC service, by their numbers, against `sortie serve` as a process of its own.",
    "Where a scenario records a weakness of the original, the row says what holds here instead; `docs/differences.md` has the",
    "list. Scenarios about the plain forms of calls run over Connect as well.",
    "",
    `${whole.filter(passes).length} of ${whole.length} scenarios pass. ${partial.filter(passes).length} of ${partial.length} more pass as far as they can;`,
    `${waiting.length} wait altogether.`,
  ];
  for (const { letter, title, scenarios } of GROUPS) {
    lines.push("", `## ${letter}. ${title}`, "", "| # | Scenario | gRPC | Connect |", "| --- | --- | --- | --- |");
    lines.push(
      ...scenarios.map((scenario) => {
        const [grpc, connect] = cellsOf(scenario, outcome);
        return `| ${scenario.number} | ${scenario.title} | ${grpc} | ${connect} |`;
      }),
    );
  }
  return `${lines.join("\n")}\n`;
}

function cellsOf(scenario: Scenario, outcome: (place: string) => Outcome): readonly [string, string] {
  if (!isTested(scenario)) return [`waits for ${scenario.waitsFor}`, "–"];
  const grpc = outcome(key(scenario.number, "gRPC"));
  const connect = scenario.connectToo ? outcome(key(scenario.number, "Connect")) : "–";
  return [scenario.partly ? `${grpc} as far as it can; the rest waits for ${scenario.waitsFor}` : grpc, connect];
}
