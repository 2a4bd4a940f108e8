// Lends the run's cloud to its tests, writes docs/conformance-cuvis.md after a complete run of the scenarios, and fails a run
// that left one out.
//
// A global setup of the test project: what it returns runs once all tests have ended. A run of chosen files or tests is not
// complete; it leaves the document alone.
import { globSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestCase, TestProject } from "vitest/node";
import { startCloudProgram } from "./cloud-control.ts";
import { COLUMNS, HOSTS, reasonAgainst } from "./hosts.ts";
import { GROUPS, isTested, SCENARIOS, type Scenario } from "./scenarios.ts";

const DOCUMENT = new URL("../../docs/conformance-cuvis.md", import.meta.url);

type Outcome = "passed" | "failed" | "not run";

const key = (scenario: number | string, host: string, transport: string): string => `${scenario}|${host}|${transport}`;

/** Where a scenario is proved: on each transport of each host that can. */
const placesOf = (scenario: Scenario): readonly string[] =>
  COLUMNS.filter(({ host, transport }) => reasonAgainst(scenario, host, transport) === undefined).map(
    ({ host, transport }) => key(scenario.number, host.name, transport.name),
  );

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cloud = await startCloudProgram();
  project.provide("cuvisCloud", cloud.control);
  return async () => {
    await cloud.close();
    record(project);
  };
}

function record(project: TestProject): void {
  const { vitest } = project;
  const modules = vitest.state.getTestModules().filter((module) => module.project.name === project.name);
  const ran = new Set(modules.map((module) => basename(module.moduleId)));
  const all = globSync("*.test.ts", { cwd: fileURLToPath(new URL(".", import.meta.url)) });
  if (vitest.config.testNamePattern !== undefined || !all.every((file) => ran.has(file))) return;

  const outcomes = new Map<string, Outcome>();
  for (const test of modules.flatMap((module) => [...module.children.allTests()])) {
    const { scenario, host, transport } = test.meta();
    if (scenario === undefined || host === undefined || transport === undefined) continue;
    const place = key(scenario, host, transport);
    // Several tests of one scenario: it has passed if each has.
    const outcome = outcomeOf(test);
    const before = outcomes.get(place) ?? "passed";
    outcomes.set(place, before === "passed" ? outcome : before);
  }
  const missing = [...SCENARIOS.values()]
    .filter(isTested)
    .flatMap(placesOf)
    .filter((place) => !outcomes.has(place));
  if (missing.length > 0) {
    const names = missing.map((place) => place.replaceAll("|", " over "));
    console.error(`cuvis: ${missing.length} scenarios did not run: ${names.join(", ")}`);
    process.exitCode = 1;
    return;
  }
  writeFileSync(
    DOCUMENT,
    documentOf((place) => outcomes.get(place) ?? "not run"),
  );
}

function outcomeOf(test: TestCase): Outcome {
  const { state } = test.result();
  return state === "passed" ? "passed" : state === "failed" ? "failed" : "not run";
}

function documentOf(outcome: (place: string) => Outcome): string {
  const all = [...SCENARIOS.values()];
  const passes = (scenario: Scenario) => placesOf(scenario).every((place) => outcome(place) === "passed");
  const whole = all.filter((scenario) => scenario.waitsFor === undefined);
  const partial = all.filter((scenario) => scenario.partly);
  const waiting = all.filter((scenario) => !isTested(scenario));
  const lines = [
    "# Conformance of the pipeline service",
    "",
    "<!-- Written by `npm run test:cuvis`; do not edit. -->",
    "",
    "The acceptance scenarios of CUVIS.AI's gRPC service, by their numbers, against real servers. Where a scenario records a",
    "weakness of the original, the row says what holds here instead; `docs/differences.md` has the list.",
    "",
    `${whole.filter(passes).length} of ${whole.length} scenarios pass. ${partial.filter(passes).length} of ${partial.length} more pass as far as they can;`,
    `${waiting.length} wait altogether. A dash: other columns prove it.`,
    "",
    "| Host | What it is |",
    "| --- | --- |",
    ...HOSTS.map((host) => `| ${host.name} | ${host.title} |`),
  ];
  const columns = COLUMNS.map(({ host, transport }) => `${host.name}, ${transport.name}`);
  for (const { letter, title, scenarios } of GROUPS) {
    lines.push("", `## ${letter}. ${title}`, "", `| # | Scenario | ${columns.join(" | ")} |`);
    lines.push(`| --- | --- | ${columns.map(() => "---").join(" | ")} |`);
    lines.push(
      ...scenarios.map(
        (scenario) => `| ${scenario.number} | ${titleOf(scenario)} | ${cellsOf(scenario, outcome).join(" | ")} |`,
      ),
    );
  }
  return `${lines.join("\n")}\n`;
}

const titleOf = ({ title, partly, waitsFor }: Scenario): string =>
  partly ? `${title} (as far as it can; the rest waits for ${waitsFor})` : title;

/** One cell for each column; what does not apply is said in the first cell of its host. */
function cellsOf(scenario: Scenario, outcome: (place: string) => Outcome): string[] {
  return COLUMNS.map(({ host, transport }, i) => {
    if (!isTested(scenario)) return i === 0 ? `waits for ${scenario.waitsFor}` : "–";
    const reason = reasonAgainst(scenario, host, transport);
    if (reason === undefined) return outcome(key(scenario.number, host.name, transport.name));
    return reason !== "" && transport === host.transports[0] ? `not applicable: ${reason}` : "–";
  });
}
