// The in-memory table of the unit tests keeps the promises of the port.
import { MemoryTable } from "../../packages/core/src/testing/index.ts";
import { describeTable } from "./table.suite.ts";
import { describeTableModel } from "./table-model.suite.ts";

const open = async () => {
  const table = new MemoryTable();
  return { table, other: table };
};

describeTable("memory", open);
describeTableModel("memory", open, 300);
