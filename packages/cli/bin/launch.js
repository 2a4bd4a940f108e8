// The launcher: runs a script under a Node that Sortie supports. Plain JavaScript that an old Node can read.
//
// Usage: node launch.js SCRIPT [ARG ...]. On Node 22.18 or newer it runs the script with this very Node. On an older
// one it fetches Node 24 from npm once (the package of this platform, whose bin is `node`), remembers where npm put
// it, and runs the script with that.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const inRepository = existsSync(join(here, "..", "src", "main.ts"));

function isSupported(version) {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

function platformPackage() {
  const os = { linux: "linux", darwin: "darwin", win32: "win" }[process.platform];
  const arch = { x64: "x64", arm64: "arm64" }[process.arch];
  return os && arch ? `node-${os}-${arch}` : undefined;
}

function fail(reason) {
  process.stderr.write(
    `sortie needs Node 22.18 or newer; this is ${process.version}${reason ? ` and ${reason}` : ""}.\n` +
      "Install Node 24 from https://nodejs.org or with your version manager, then run the same command again.\n",
  );
  process.exit(1);
}

function findNode() {
  if (isSupported(process.version)) return process.execPath;
  const cacheFile = join(homedir(), ".cache", "sortie", "node24");
  try {
    const cached = readFileSync(cacheFile, "utf8").trim();
    if (cached && existsSync(cached)) return cached;
  } catch {
    // Not fetched yet.
  }
  const name = platformPackage();
  if (!name) fail(`npm has no Node 24 package for ${process.platform} ${process.arch}`);
  process.stderr.write(`Node ${process.version} is older than Sortie needs: fetching Node 24 from npm (once) ...\n`);
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const found = spawnSync(npm, ["exec", "--yes", `--package=${name}@24.x`, "--", "node", "-p", "process.execPath"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32",
  });
  const path = (found.stdout || "").trim().split("\n").pop();
  if (found.status !== 0 || !path || !existsSync(path)) {
    fail(`npm could not fetch ${name}@24.x: ${(found.stderr || String(found.error || "")).trim().split("\n").pop()}`);
  }
  try {
    mkdirSync(dirname(cacheFile), { recursive: true });
    writeFileSync(cacheFile, `${path}\n`);
  } catch {
    // A read-only home only costs the next start a few seconds.
  }
  return path;
}

/**
 * The C library's allocator keeps large freed blocks for later unless told otherwise, and a server that moves chunks of
 * many MiB would hold some hundred MiB of them: freed blocks of this size and more go back to the system.
 */
function environment() {
  if (process.platform !== "linux") return process.env;
  const bytes = String(128 * 1024);
  const allocator = { MALLOC_MMAP_THRESHOLD_: bytes, MALLOC_TRIM_THRESHOLD_: bytes, MALLOC_ARENA_MAX: "2" };
  return { ...allocator, ...process.env };
}

/** Runs `script` with `args` under a supported Node, with more flags for it, as if this process were that program. */
export function launch(script, args, nodeFlags = []) {
  const node = findNode();
  const flags = ["--disable-warning=ExperimentalWarning", ...nodeFlags];
  if (inRepository) flags.push("--conditions=sortie-source");
  if (typeof process.execve === "function" && process.platform !== "win32") {
    // Becoming the program keeps one process and one id: what is sent to `sortie` reaches it, SIGKILL too.
    process.removeAllListeners("warning");
    process.execve(node, [node, ...flags, script, ...args], environment());
  }
  // No exec on this Node: a child stands in for us. The channel tells it when we are gone, however we went.
  flags.push("--import", pathToFileURL(join(here, "guard.js")).href);
  const child = spawn(node, [...flags, script, ...args], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: environment(),
  });
  process.on("SIGINT", () => {
    // A terminal sends Ctrl-C to the whole group: the child has it already, so the launcher only has to outlive it.
    if (!process.stdin.isTTY) child.kill("SIGINT");
  });
  process.on("SIGTERM", (signal) => child.kill(signal));
  process.on("SIGHUP", (signal) => child.kill(signal));
  child.on("error", (error) => fail(String(error.message)));
  child.on("exit", (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else {
      process.exit(code === null ? 1 : code);
    }
  });
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const [script, ...args] = process.argv.slice(2);
  if (!script) fail("no script was named");
  launch(script, args);
}
