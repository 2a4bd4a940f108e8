// The lists in docs/deploy.md are what the stacks make. `npm run test:stacks -- --update` writes them anew.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./synthesise.ts";
import { rolesOf, type VariantName, variant } from "./variants.ts";

const file = join(root, "docs/deploy.md");

/** Options that bring resources, as the document calls them. */
const OPTIONS = {
  gpu: "`GPU`",
  spot: "`SPOT`",
  host: "`HOST_CERTIFICATE`",
  alarms: "`ALARMS`, `ALARM_EMAIL`",
  cors: "`CORS_ORIGINS`",
} as const satisfies Partial<Record<VariantName, string>>;

/** Everything AWS is asked for; SST's own groupings are not resources. */
async function resourcesOf(name: VariantName): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const types = new Map<string, Set<string>>();
  for (const resource of (await variant(name)).resources) {
    if (!/^(aws|docker-build|random):/.test(resource.type)) continue;
    const title = titleOf(resource.type);
    types.set(title, (types.get(title) ?? new Set()).add(resource.name));
  }
  return types;
}

/** `aws:s3/bucket:Bucket` as `s3 Bucket`. */
function titleOf(type: string): string {
  const [provider = "", module = "", name = ""] = type.split(":");
  return `${provider === "aws" ? module.split("/")[0] : provider} ${name}`;
}

async function resourceLines(): Promise<string[]> {
  const always = await resourcesOf("dev");
  const added = await Promise.all(
    (Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]).map(async (name) => [name, await resourcesOf(name)] as const),
  );
  const types = new Set([always, ...added.map(([, types]) => types)].flatMap((each) => [...each.keys()]));
  return [
    "| resource | always | with an option |",
    "|---|---|---|",
    ...[...types].toSorted().map((type) => {
      const own = always.get(type) ?? new Set();
      const more = added.flatMap(([name, each]) => {
        const names = [...(each.get(type) ?? [])].filter((one) => !own.has(one)).toSorted();
        return names.length > 0 ? [`${OPTIONS[name]}: ${names.join(", ")}`] : [];
      });
      return `| ${type} | ${[...own].toSorted().join(", ") || "–"} | ${more.join("; ") || "–"} |`;
    }),
  ];
}

/** Without what differs between deployments: account, region, stage and the ending that makes a name unique. */
const shortened = (arn: string): string =>
  arn
    .replace(/^arn:aws:([a-z0-9]+):[^:]*:[^:]*:/, "$1 ")
    .replace("sortie-production-", "")
    .replace("/sortie/production/", "")
    .replace(/((?:blobsbucket|RowsTable|Function))-[a-z]+/, "$1");

async function permissionLines(): Promise<string[]> {
  const lines = ["| role | may | on |", "|---|---|---|"];
  const roles = rolesOf(await variant("everything")).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, statements } of roles) {
    for (const { actions, resources } of statements) {
      const service = actions[0]!.split(":")[0]!;
      const verbs = actions.map((action) => action.slice(service.length + 1)).toSorted();
      const on = resources.map(shortened).toSorted();
      lines.push(`| ${name} | ${service}: ${verbs.join(", ")} | ${on.map((each) => `\`${each}\``).join(", ")} |`);
    }
  }
  return lines;
}

async function checkList(name: string, lines: readonly string[]): Promise<void> {
  const text = readFileSync(file, "utf8");
  const marks = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`] as const;
  const [from, to] = [text.indexOf(marks[0]) + marks[0].length, text.indexOf(marks[1])];
  if (from < marks[0].length || to < from) throw new Error(`docs/deploy.md has no place for the list of ${name}`);
  const list = `\n\n${lines.join("\n")}\n\n`;
  if (process.env["SORTIE_UPDATE"]) writeFileSync(file, text.slice(0, from) + list + text.slice(to));
  else expect(text.slice(from, to), "write it anew with: npm run test:stacks -- --update").toBe(list);
}

describe("docs/deploy.md", () => {
  it("lists every resource, and which option brings it", async () => {
    await checkList("resources", await resourceLines());
  });

  it("lists what every role may do", async () => {
    await checkList("permissions", await permissionLines());
  });

  it("names every option", async () => {
    const text = readFileSync(file, "utf8");
    const source = readFileSync(join(root, "stacks/options.ts"), "utf8");
    const known = /const KNOWN = \[([^\]]+)\]/
      .exec(source)![1]!
      .match(/"([A-Z_]+)"/g)!
      .map((each) => each.slice(1, -1));
    expect(known.filter((option) => !text.includes(`| \`${option}\``))).toEqual([]);
    expect(known).toContain("AUTH");
  });
});
