// Rules of names of processes.
import { fork } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { identityOf, isRunning, parseIdentity, thisProcess } from "./process-identity.ts";

describe("the name of a process", () => {
  it("can be read back, and says that this process runs", () => {
    expect(thisProcess).toBe(identityOf());
    expect(parseIdentity(thisProcess)?.pid).toBe(process.pid);
    expect(isRunning(parseIdentity(thisProcess)!)).toBe(true);
  });

  it.skipIf(process.platform !== "linux")("is of nobody else with the same number", () => {
    const { pid, start } = parseIdentity(thisProcess)!;
    expect(isRunning({ pid, start: String(Number(start) + 1) })).toBe(false);
  });

  it("is of nobody once the process has ended", async () => {
    const child = fork("-e", [], { execArgv: ["-e", "process.on('message', () => process.exit())"] });
    const identity = parseIdentity(identityOf(child.pid))!;
    expect(isRunning(identity)).toBe(true);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    expect(isRunning(identity)).toBe(false);
  });

  it.each(["", "pid:", "pid:0", "pid:-5", "pid:12:x", "12", "pid:1:2:3", "arn:aws:batch"])(
    "cannot be read from %j",
    (text) => {
      expect(parseIdentity(text)).toBeUndefined();
    },
  );
});
