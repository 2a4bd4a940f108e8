// Rules of the functions' log.
import { describe, expect, it } from "vitest";
import { createLog } from "./log.ts";

describe("the log", () => {
  it("has one JSON object on a line, errors with their causes", () => {
    const lines: string[] = [];
    const log = createLog((line) => lines.push(line));
    const cause = new Error("connection\nreset");
    log.error({ jobId: "j", err: new Error("table sortie: try again", { cause }), count: 3n }, "attending");
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain("\n");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "error",
      msg: "attending",
      jobId: "j",
      count: "3",
      err: { message: "table sortie: try again", cause: { message: "connection\nreset" } },
    });
  });
});
