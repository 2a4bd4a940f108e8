// The other end of remote-table.ts: a process that opens the SQLite file it is given and does what it is told.
import { SqliteTable } from "@sortie/platform-local";
import type { TableCall, TableReply } from "./remote-table.ts";

const table = await SqliteTable.open({ file: process.argv[2]! });
const reply = (message: TableReply) => process.connected && process.send!(message);

process.on("message", async ({ id, method, args }: TableCall) => {
  try {
    const call = table[method] as (...args: readonly unknown[]) => Promise<unknown>;
    reply({ id, value: await call.apply(table, [...args]) });
  } catch (error) {
    reply({ id, error: String(error) });
  }
});
process.on("disconnect", () => table[Symbol.asyncDispose]());
reply({ id: 0 });
