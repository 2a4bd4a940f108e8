// Rules of uploads that one run begins and another goes on with.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProblemMessage } from "@sortie/client";
import { ArrayFieldId } from "@sortie/wire";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keyOf, UnfinishedUploads } from "./unfinished-uploads.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-unfinished-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const upload = { uploadId: "u", idempotencyKey: "k", model: "m.mps", server: "s:1", begunAt: "2026-01-01T00:00:00Z" };
const files = () => readdirSync(join(folder, "sortie", "uploads"));
const fileOf = (key: string) => join(folder, "sortie", "uploads", `${key}.json`);

describe("an unfinished upload", () => {
  it("is found under its key by another run, until it is forgotten", async () => {
    const first = new UnfinishedUploads({ XDG_STATE_HOME: folder });
    const second = new UnfinishedUploads({ XDG_STATE_HOME: folder });
    expect(await second.find("a")).toBeUndefined();
    await first.remember("a", upload);
    expect(await second.find("a")).toEqual(upload);
    expect(await second.find("b")).toBeUndefined();
    await second.forget("a");
    await second.forget("a");
    expect(await first.find("a")).toBeUndefined();
    expect(files()).toEqual([]);
  });

  it("takes the place of an earlier one under the same key, in one file that nobody else may read", async () => {
    const uploads = new UnfinishedUploads({ XDG_STATE_HOME: folder });
    await uploads.remember("a", upload);
    await uploads.remember("a", { ...upload, uploadId: "u2" });
    expect((await uploads.find("a"))?.uploadId).toBe("u2");
    expect(files()).toEqual(["a.json"]);
    expect(statSync(fileOf("a")).mode & 0o777).toBe(0o600);
  });

  it("is as good as none where its file cannot be read", async () => {
    const uploads = new UnfinishedUploads({ XDG_STATE_HOME: folder });
    await uploads.remember("a", upload);
    for (const text of ["", "{", "null", '{"version":2,"uploadId":"u","idempotencyKey":"k"}', '{"version":1}']) {
      writeFileSync(fileOf("a"), text);
      expect(await uploads.find("a")).toBeUndefined();
    }
  });

  it("is forgotten when no server can have it any more", async () => {
    const uploads = new UnfinishedUploads({ XDG_STATE_HOME: folder });
    await uploads.remember("old", upload);
    utimesSync(fileOf("old"), 0, 0);
    await uploads.remember("new", upload);
    expect(existsSync(fileOf("old"))).toBe(false);
    expect(existsSync(fileOf("new"))).toBe(true);
  });
});

describe("the key of an upload", () => {
  const problem: ProblemMessage = {
    kind: "lp",
    settings: { time_limit: Number.POSITIVE_INFINITY },
    variableNames: ["x", "y"],
    arrays: new Map([[ArrayFieldId.FIELD_C, Float64Array.of(1, 2)]]),
  };
  const key = keyOf(problem, "s:1", "t");

  it("is that of the same problem, wherever its arrays come from and in whatever order", () => {
    const c = new Float64Array(new Float64Array([0, 1, 2]).buffer, 8, 2);
    const b = Float64Array.of(3);
    const one: ProblemMessage = {
      ...problem,
      arrays: new Map([
        [5, c],
        [6, b],
      ]),
    };
    const other: ProblemMessage = {
      ...problem,
      arrays: new Map([
        [6, b],
        [5, c],
      ]),
    };
    expect(keyOf({ ...problem, arrays: new Map([[5, c]]) }, "s:1", "t")).toBe(key);
    expect(keyOf(one, "s:1", "t")).toBe(keyOf(other, "s:1", "t"));
  });

  it("is another one for another problem, other settings, another server or another token", () => {
    const arrays = (fieldId: ArrayFieldId, ...values: number[]) => new Map([[fieldId, Float64Array.of(...values)]]);
    const keys = [
      key,
      keyOf({ ...problem, arrays: arrays(ArrayFieldId.FIELD_C, 1, 3) }, "s:1", "t"),
      keyOf({ ...problem, arrays: arrays(ArrayFieldId.FIELD_B, 1, 2) }, "s:1", "t"),
      keyOf({ ...problem, kind: "mip" }, "s:1", "t"),
      keyOf({ ...problem, variableNames: ["x", "z"] }, "s:1", "t"),
      keyOf({ ...problem, variableNames: [], rowNames: ["x", "y"] }, "s:1", "t"),
      keyOf({ ...problem, objectiveOffset: 1 }, "s:1", "t"),
      keyOf({ ...problem, settings: { time_limit: 1 } }, "s:1", "t"),
      keyOf({ ...problem, settings: {} }, "s:1", "t"),
      keyOf(problem, "s:2", "t"),
      keyOf(problem, "s:1", "t2"),
      keyOf(problem, "s:1", undefined),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});
