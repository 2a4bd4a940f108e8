// One cloud for all test files of a run, since each file has a process of its own and a cloud takes seconds to start: it is in
// a process beside them (cloud-program.ts) and is asked over a small control port. Worlds of one cloud are tenants.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What a test needs to know of a cloud. */
export interface CloudFacts {
  /** Of the emulators. */
  readonly endpoint: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Of the function. */
  readonly url: string;
}

export const CLOUD_OPTIONS = {
  /** Containers look this long for a further job, which spares most scenarios the start of another. */
  settings: { SORTIE_LINGER_SECONDS: "30" },
  /** A training is waited for within one call. */
  rpcTimeoutMs: 240_000,
};

const PROGRAM = fileURLToPath(new URL("cloud-program.ts", import.meta.url));

export interface RunningCloud {
  /** The address of its control port. */
  readonly control: string;
  close(): Promise<void>;
}

/** Starts the process; the cloud itself starts when somebody asks for it. */
export async function startCloudProgram(): Promise<RunningCloud> {
  const flags = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
  const child: ChildProcess = spawn(process.execPath, [...flags, PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout! });
  const first = await Promise.race([once(lines, "line"), once(child, "exit").then(() => [undefined])]);
  if (first[0] === undefined) throw new Error("the cloud's process ended before it listened");
  return {
    control: String(first[0]),
    async close() {
      const ended = once(child, "exit");
      child.stdin?.end();
      await ended;
    },
  };
}

/** Asks the control port of a run's cloud. */
export async function askCloud<T>(control: string, path: string): Promise<T> {
  const answer = await fetch(control + path);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the cloud of this run: ${text}`);
  return JSON.parse(text) as T;
}
