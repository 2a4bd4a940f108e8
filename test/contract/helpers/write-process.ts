// A process that counts in a row of the SQLite file it is given and tells its parent each number once the table has
// acknowledged it; made to be killed.
import { SqliteTable } from "@sortie/platform-local";

const [file, durability, pk] = process.argv.slice(2) as [string, "process" | "power", string];
const table = await SqliteTable.open({ file, durability });
for (let n = 0; ; n += 1) {
  await table.write({ pk, sk: "row" }, { set: { n } }, []);
  process.send!(n);
}
