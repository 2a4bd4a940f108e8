// `sortie token` on a data directory that no server has open.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-token-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function token(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const flags = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SORTIE|CUOPT)_/.test(name)));
  const child = spawn(process.execPath, [...flags, MAIN, "token", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

it("makes, lists and revokes tokens, and leaves no token on the disk", async () => {
  const data = join(folder, "data");
  const created = await token("create", "--tenant", "alice", "--name", "night runs", "--expires", "30", "--data", data);
  expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sortie_[A-Za-z0-9_-]{43}\n$/) });
  expect(created.stderr).toMatch(/^Token [0-9a-f]{16} of tenant alice, until \d{4}-.*not shown again\.\n$/);

  const config = join(folder, "settings.json");
  writeFileSync(config, JSON.stringify({ data }));
  const list = await token("list", "--config", config);
  const [head, line, ...rest] = list.stdout.trimEnd().split("\n");
  expect(head).toMatch(/^ID +TENANT +STATE +CREATED +LAST USED +EXPIRES +NAME$/);
  expect(line).toMatch(/^[0-9a-f]{16} +alice +valid +\S+Z +never +\S+Z +night runs$/);
  expect(rest).toEqual([]);

  const revoked = await token("revoke", line!.slice(0, 16), "--data", data);
  expect(revoked).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("is revoked") });
  expect((await token("list", "--data", data)).stdout).toMatch(/ alice +revoked /);

  const secret = created.stdout.trim().slice("sortie_".length);
  for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) expect(readFileSync(join(entry.parentPath, entry.name)).includes(secret)).toBe(false);
  }
});

it.each([
  ["an unknown action", ["make"], /"make" is not an action; there is: create, list, revoke/],
  ["no tenant", ["create"], /needs --tenant/],
  ["a tenant that is no name", ["create", "--tenant", "a b"], /tenant "a b" is not a name; allowed are/],
  ["an expiry that is no number", ["create", "--tenant", "a", "--expires", "soon"], /--expires is "soon"; allowed/],
  ["an option of another action", ["list", "--name", "x"], /token list: --name means nothing here/],
  ["no id", ["revoke"], /token revoke takes ID; found none/],
  ["an unknown id", ["revoke", "0123456789abcdef"], /no token has the id "0123456789abcdef"/],
  ["an unknown option", ["list", "--all"], /--all/],
])("tells %s in one line and exits with 1", async (_, args, text) => {
  const { code, stdout, stderr } = await token(...args, "--data", folder);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(text);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

it("does not make a data directory only to list it", async () => {
  const data = join(folder, "absent");
  expect(await token("list", "--data", data)).toMatchObject({ code: 1, stderr: expect.stringContaining("--data") });
  expect(existsSync(data)).toBe(false);
});

it("tells its actions", async () => {
  expect((await token("--help")).stdout).toMatch(/token create.*\n.*token list.*\n.*token revoke/);
});
