// The SQLite table keeps the promises of the port, with a second process on the same file.
import { join } from "node:path";
import { SqliteTable } from "@sortie/platform-local";
import { remoteTable } from "./helpers/remote-table.ts";
import { tempFolders } from "./helpers/temp.ts";
import { describeTable } from "./table.suite.ts";

const tempFolder = tempFolders();

describeTable("SQLite, two processes", async () => {
  const file = join(await tempFolder(), "sortie.sqlite");
  const table = await SqliteTable.open({ file });
  return { table, other: await remoteTable(file) };
});
