// The SQLite table keeps the promises of the port, with a second process on the same file; and those that only this
// platform makes: processes are killed here.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SqliteTable } from "@sortie/platform-local";
import { describe, expect, it } from "vitest";
import { remoteTable } from "./helpers/remote-table.ts";
import { tempFolders } from "./helpers/temp.ts";
import { describeTable } from "./table.suite.ts";
import { describeTableModel } from "./table-model.suite.ts";

const tempFolder = tempFolders();

const open = async () => {
  const file = join(await tempFolder(), "sortie.sqlite");
  const table = await SqliteTable.open({ file });
  return { table, other: await remoteTable(file) };
};

describeTable("SQLite, two processes", open);
describeTableModel("SQLite, two processes", open, 60);

describe("the SQLite table", () => {
  it.each(["process", "power"])(
    "loses no acknowledged write when its process is killed (durability %s)",
    async (durability) => {
      const file = join(await tempFolder(), "sortie.sqlite");
      for (let round = 0; round < 3; round += 1) {
        const child: ChildProcess = fork(
          fileURLToPath(new URL("./helpers/write-process.ts", import.meta.url)),
          [file, durability, `round-${round}`],
          { execArgv: ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"] },
        );
        let acknowledged = -1;
        child.on("message", (n: number) => {
          acknowledged = n;
          if (n === 50) child.kill("SIGKILL");
        });
        await once(child, "exit");
        await using table = await SqliteTable.open({ file });
        const row = await table.get({ pk: `round-${round}`, sk: "row" });
        expect(acknowledged).toBeGreaterThanOrEqual(50);
        expect(row?.attributes["n"]).toBeGreaterThanOrEqual(acknowledged);
      }
    },
  );

  it("several processes may open a new file at the same moment", async () => {
    const file = join(await tempFolder(), "sortie.sqlite");
    const tables = await Promise.all([1, 2, 3, 4].map(() => remoteTable(file)));
    const key = { pk: "p", sk: "row" };
    await Promise.all(
      tables.flatMap((table) => Array.from({ length: 20 }, () => table.write(key, { increment: { n: 1 } }, []))),
    );
    expect((await tables[0]!.get(key))?.attributes["n"]).toBe(80);
    await Promise.all(tables.map((table) => table[Symbol.asyncDispose]()));
  });
});
