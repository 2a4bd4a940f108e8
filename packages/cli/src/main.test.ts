// The front of the command: help, version, mistakes in its arguments.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

async function sortie(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const flags = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
  const child = spawn(process.execPath, [...flags, MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
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

it("names its commands and its version", async () => {
  const help = await sortie("--help");
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toContain("serve");
  expect(await sortie()).toEqual(help);
  expect((await sortie("help", "solve")).stdout).toMatch(/^usage: sortie solve FILE/);
  expect(await sortie("--version")).toEqual({ code: 0, stdout: `sortie ${version}\n`, stderr: "" });
});

it("says which command was probably meant", async () => {
  expect(await sortie("sevre")).toEqual({
    code: 1,
    stdout: "",
    stderr: 'sortie: "sevre" is not a command; did you mean serve?\n',
  });
});

it("tells the options of serve", async () => {
  const { code, stdout } = await sortie("serve", "--help");
  expect(code).toBe(0);
  for (const flag of ["--port", "--data", "--require-client-cert"]) expect(stdout).toContain(flag);
});

it("K9: exits 1 with a message when half of what TLS needs is missing", async () => {
  const [noKey, noRoot] = await Promise.all([
    sortie("serve", "--tls", "--tls-cert", MAIN),
    sortie("serve", "--tls", "--tls-cert", MAIN, "--tls-key", MAIN, "--require-client-cert"),
  ]);
  expect(noKey).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("--tls needs --tls-key") });
  expect(noRoot).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("--require-client-cert needs --tls-root"),
  });
});
