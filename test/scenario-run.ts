// What the documents of conformance are written from: the tests of a complete run of one folder.
import { globSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestCase, TestProject } from "vitest/node";

export type Outcome = "passed" | "failed" | "not run";

/** All tests of the project; undefined if files or tests were chosen, so that the run is not complete. */
export function completeRun({ vitest, name }: TestProject, folder: URL): TestCase[] | undefined {
  const modules = vitest.state.getTestModules().filter((module) => module.project.name === name);
  const ran = new Set(modules.map((module) => basename(module.moduleId)));
  const all = globSync("*.test.ts", { cwd: fileURLToPath(folder) });
  if (vitest.config.testNamePattern !== undefined || !all.every((file) => ran.has(file))) return undefined;
  return modules.flatMap((module) => [...module.children.allTests()]);
}

export function outcomeOf(test: TestCase): Outcome {
  const { state } = test.result();
  return state === "passed" || state === "failed" ? state : "not run";
}

/** The outcome of several tests of one scenario: it has passed if each has. */
export const together = (a: Outcome, b: Outcome): Outcome => (a === "passed" ? b : a);
