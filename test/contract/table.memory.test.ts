// The in-memory table of the unit tests keeps the promises of the port.
import { MemoryTable } from "../../packages/core/src/testing/index.ts";
import { describeTable } from "./table.suite.ts";

describeTable("memory", async () => {
  const table = new MemoryTable();
  return { table, other: table };
});
