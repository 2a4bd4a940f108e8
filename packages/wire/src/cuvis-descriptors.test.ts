// The compiled pipeline schema against the two wire tables of the original, field by field.
import { describe, expect, it } from "vitest";
import { file_cuvis_ai_v1_config } from "./gen/cuvis_ai/v1/config_pb.js";
import { file_cuvis_ai_v1_data } from "./gen/cuvis_ai/v1/data_pb.js";
import { file_cuvis_ai_v1_legacy } from "./gen/cuvis_ai/v1/legacy_pb.js";
import { file_cuvis_ai_v1_plugins } from "./gen/cuvis_ai/v1/plugins_pb.js";
import { file_cuvis_ai_v1_service } from "./gen/cuvis_ai/v1/service_pb.js";
import { file_cuvis_ai_v1_training } from "./gen/cuvis_ai/v1/training_pb.js";
import { collect } from "./testing/schema.ts";
import { readTable, type WireTable } from "./testing/tables.ts";

const SERVICE = "CuvisAIService";
const files = [
  file_cuvis_ai_v1_data,
  file_cuvis_ai_v1_config,
  file_cuvis_ai_v1_training,
  file_cuvis_ai_v1_plugins,
  file_cuvis_ai_v1_service,
];
const ours = collect(files, "cuvis_ai.v1.");
const current = readTable("cuvis-wire");
const legacy = readTable("cuvis-wire-legacy");

/** What only the link between the original's own processes uses. */
const INTERNAL = /^(InitializeSession|StopRun|HealthCheck)/;
const publicMessages = (table: WireTable) => Object.keys(table.messages).filter((name) => !INTERNAL.test(name));
const publicEnums = (table: WireTable) =>
  Object.fromEntries(Object.entries(table.enums).filter(([name]) => !INTERNAL.test(name)));
/** What only older clients say. */
const OLDER = ["LoadPluginsRequest", "LoadPluginsResponse"];

describe("the compiled pipeline schema", () => {
  it("has exactly the public messages, enums and RPCs of the current table, and LoadPlugins", () => {
    expect(Object.keys(ours.messages).sort()).toEqual([...publicMessages(current), ...OLDER].sort());
    expect(ours.enums).toEqual(publicEnums(current));
    const { LoadPlugins, ...rest } = ours.services[SERVICE]!;
    expect(rest).toEqual(current.services[SERVICE]);
    expect(LoadPlugins).toEqual(legacy.services[SERVICE]!["LoadPlugins"]);
  });

  it.each(publicMessages(current))("equals the current table in every field of %s", (name) => {
    expect(ours.messages[name]).toEqual(current.messages[name]);
  });

  it.each(publicMessages(legacy).filter((name) => !["NodeInfo", "PortSpecList"].includes(name)))(
    "reads every field of the older %s: same number and type",
    (name) => {
      for (const { number, type, label } of legacy.messages[name]!) {
        expect(ours.messages[name]?.find((field) => field.number === number)).toMatchObject({ type, label });
      }
    },
  );

  it("has the older form of a node's description beside the current one", () => {
    const { messages } = collect([file_cuvis_ai_v1_legacy], "cuvis_ai.v1.");
    expect(messages["LegacyNodeInfo"]).toEqual(legacy.messages["NodeInfo"]);
    expect(messages["PortSpecList"]).toEqual(legacy.messages["PortSpecList"]);
  });
});
