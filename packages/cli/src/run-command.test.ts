// What happens around a command: help, faults and their exit codes, Ctrl-C.
import { Code, ConnectError } from "@connectrpc/connect";
import { JobEndedError, RemoteError, TimeoutError } from "@sortie/client";
import { expect, it, vi } from "vitest";
import { UsageError } from "./connect.ts";
import { runCommand, worstOf } from "./run-command.ts";

/** @returns the exit code, and what was written */
async function ran(run: (signal: AbortSignal) => Promise<number>, args: string[] = [], afterInterrupt?: string) {
  const written = { out: "", err: "" };
  const spies = (["out", "err"] as const).map((stream) =>
    vi.spyOn(stream === "out" ? process.stdout : process.stderr, "write").mockImplementation((chunk) => {
      written[stream] += chunk;
      return true;
    }),
  );
  try {
    return { code: await runCommand(args, "the help\n", run, afterInterrupt), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

it("gives the command's own exit code, and its help without running it", async () => {
  expect(await ran(async () => 3)).toEqual({ code: 3, out: "", err: "" });
  for (const flag of ["--help", "-h"]) {
    expect(await ran(() => Promise.reject(new Error("run")), ["x", flag])).toEqual({
      code: 0,
      out: "the help\n",
      err: "",
    });
  }
});

it.each([
  ["a fault of the options", new UsageError("--x is wrong"), 1],
  ["a job that failed", new JobEndedError("failed", "out of memory"), 4],
  ["an unknown job", new JobEndedError("not-found", "Job not found"), 5],
  ["an unknown job of another call", new RemoteError("GetJob", new ConnectError("Job not found", Code.NotFound)), 5],
  ["a cancelled job", new JobEndedError("cancelled", "Job was cancelled"), 6],
  ["a time that is over", new TimeoutError("a", 1000), 124],
  ["a refusal", new RemoteError("GetJob", new ConnectError("no", Code.PermissionDenied)), 1],
])("tells %s in one line, with its exit code", async (_, error, code) => {
  const run = await ran(() => Promise.reject(error));
  expect(run).toMatchObject({ code, out: "" });
  expect(run.err).toMatch(/^sortie: .*\n$/);
});

it("ends at Ctrl-C with 130 and the command's words, and listens to it no longer", async () => {
  const before = process.listenerCount("SIGINT");
  const run = ran(
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        process.emit("SIGINT");
      }),
    [],
    "left; the job goes on",
  );
  expect(await run).toEqual({ code: 130, out: "", err: "sortie: left; the job goes on\n" });
  expect(process.listenerCount("SIGINT")).toBe(before);
});

it("counts the largest exit code of several", () => {
  expect([worstOf([]), worstOf([0, 5, 4])]).toEqual([0, 5]);
});
