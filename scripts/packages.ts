// The workspace's packages, in an order in which each comes after those it depends on.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("..", import.meta.url));

export interface WorkspacePackage {
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  readonly dependencies: readonly string[];
}

function readPackage(folder: string): WorkspacePackage {
  const { name, dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { name, folder, dependencies: Object.keys(dependencies) };
}

export function workspacePackages(): WorkspacePackage[] {
  const waiting = readdirSync(join(root, "packages")).map((folder) => readPackage(join(root, "packages", folder)));
  const ordered: WorkspacePackage[] = [];
  while (waiting.length > 0) {
    const ready = waiting.findIndex((each) => !waiting.some((other) => each.dependencies.includes(other.name)));
    if (ready < 0) throw new Error(`packages depend on each other in a circle: ${waiting.map((each) => each.name)}`);
    ordered.push(...waiting.splice(ready, 1));
  }
  return ordered;
}
