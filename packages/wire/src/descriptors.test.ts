// The compiled schema against the two wire tables of the original, field by field.
import type { DescFile } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { file_cuopt_remote_common } from "./gen/cuopt/remote/common_pb.js";
import { file_cuopt_remote_problem } from "./gen/cuopt/remote/problem_pb.js";
import { file_cuopt_remote_routing } from "./gen/cuopt/remote/routing_pb.js";
import { file_cuopt_remote_service } from "./gen/cuopt/remote/service_pb.js";
import { file_cuopt_remote_settings } from "./gen/cuopt/remote/settings_pb.js";
import { file_cuopt_remote_solution } from "./gen/cuopt/remote/solution_pb.js";
import { collect } from "./testing/schema.ts";
import { type FieldFact, factToText, readSource, readTable, specFolder } from "./testing/tables.ts";

const files: readonly DescFile[] = [
  file_cuopt_remote_common,
  file_cuopt_remote_problem,
  file_cuopt_remote_routing,
  file_cuopt_remote_service,
  file_cuopt_remote_settings,
  file_cuopt_remote_solution,
];
// Where this schema departs from the newer table, on purpose. Nothing else may differ.
/** Scalars that have no presence there and have it here, so that an explicit zero can be told from an absent value. */
const ADDED_PRESENCE = {
  PDLPSolverSettings: [12, 13, 15, 18, 20, 21, 28, 29],
  MIPSolverSettings: [9, 17, 27, 32],
  ChunkedProblemHeader: [30],
} as Readonly<Record<string, readonly number[]>>;
/** Fields of 26.06 that the newer line withdrew; 26.06 clients still send them. */
const ADDED_FIELDS = {
  MIPSolverSettings: ["37 optional double presolve_time_ratio", "38 optional double presolve_max_time"],
} as Readonly<Record<string, readonly string[]>>;
/** Fields whose declared type changed after 26.04 (same bytes). */
const CHANGED_TYPES = new Map([["ArrayChunk.field_id", ["ArrayFieldId", "int32"]]]);

const ours = collect(files, "cuopt.remote.");
const texts = (facts: readonly FieldFact[]) => facts.map(factToText);

describe("the compiled schema", () => {
  const next = readTable("cuopt-wire-next");
  const first = readTable("cuopt-wire-26.04");

  it("has exactly the messages, enums and RPCs of the newer table", () => {
    expect(Object.keys(ours.messages).sort()).toEqual(Object.keys(next.messages).sort());
    expect(ours.enums).toEqual(next.enums);
    expect(ours.services).toEqual(next.services);
  });

  it.each(Object.keys(next.messages))(
    "equals the newer table in every field of %s, but for the listed departures",
    (name) => {
      const expected = next.messages[name]!.map((fact) =>
        ADDED_PRESENCE[name]?.includes(fact.number) ? { ...fact, label: "optional" } : fact,
      );
      const all = [...texts(expected), ...(ADDED_FIELDS[name] ?? [])];
      expect(texts(ours.messages[name]!).sort()).toEqual(all.sort());
    },
  );

  it("departs only where the newer table has no presence", () => {
    for (const [name, numbers] of Object.entries(ADDED_PRESENCE)) {
      for (const number of numbers) {
        expect(next.messages[name]!.find((fact) => fact.number === number)?.label, `${name} ${number}`).toBe("none");
      }
    }
  });

  it.each(Object.keys(first.messages))("reads every 26.04 field of %s: same number, name and type", (name) => {
    for (const fact of first.messages[name]!) {
      const found = ours.messages[name]?.find((field) => field.number === fact.number);
      const [before, after] = CHANGED_TYPES.get(`${name}.${fact.name}`) ?? [fact.type, fact.type];
      expect(fact.type).toBe(before);
      const expected = { ...fact, type: after };
      // Presence may have come later; the bytes are the same.
      const label = fact.label === "none" && found?.label === "optional" ? "optional" : fact.label;
      expect(found, factToText(fact)).toEqual({ ...expected, label });
    }
  });

  it("keeps every enum value and RPC of 26.04", () => {
    for (const [name, values] of Object.entries(first.enums)) expect(ours.enums[name]).toMatchObject(values);
    expect(ours.services).toEqual(first.services);
  });

  it("gives every scalar solver setting presence", () => {
    for (const name of ["PDLPSolverSettings", "MIPSolverSettings"]) {
      const without = ours.messages[name]!.filter((fact) => fact.label !== "optional").map((fact) => fact.name);
      expect(without, name).toEqual(name === "PDLPSolverSettings" ? ["warm_start_data"] : []);
    }
  });
});

// The original tables are not part of the project; where they are at hand, the copies in testdata/ are held against them.
const folder = specFolder();
if (folder !== undefined) {
  describe("the copies of the wire tables", () => {
    it.each([
      ["cuopt-wire-26.04", "cuopt-wire.json"],
      ["cuopt-wire-next", "cuopt-wire-next.json"],
      ["cuvis-wire", "cuvis-wire.json"],
      ["cuvis-wire-legacy", "cuvis-wire-legacy.json"],
    ] as const)("%s states the facts of %s", (name, file) => {
      expect(readTable(name)).toEqual(readSource(folder, file));
    });
  });
}
