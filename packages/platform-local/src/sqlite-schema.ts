// The database's schema: ordered migrations, the number of those done kept in the database itself.
import type { DatabaseSync } from "node:sqlite";

/**
 * Each entry brings the schema from its index to the next version. Never change one that was released: add another.
 *
 * Large columns come last, because SQLite reads a row front to back. The indexes are partial: rows that stand in neither
 * list cost them nothing. `backstop` is kept for platforms that expire rows themselves; here the sweep alone does.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE rows (
     pk TEXT NOT NULL,
     sk TEXT NOT NULL,
     revision INTEGER NOT NULL,
     list_pk TEXT, list_sk TEXT,
     due_pk TEXT, due_sk TEXT,
     backstop INTEGER,
     sets TEXT NOT NULL,
     attributes TEXT NOT NULL,
     PRIMARY KEY (pk, sk)
   ) STRICT;
   CREATE INDEX rows_by_list ON rows (list_pk, list_sk, pk, sk) WHERE list_pk IS NOT NULL;
   CREATE INDEX rows_by_due ON rows (due_pk, due_sk, pk, sk) WHERE due_pk IS NOT NULL;`,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

function versionOf(database: DatabaseSync): number {
  return database.prepare("PRAGMA user_version").get()!["user_version"] as number;
}

/**
 * Brings the schema up to date, in one transaction; several processes may try at once.
 * @throws Error if the database was written by a newer version
 */
export function migrate(database: DatabaseSync, migrations: readonly string[] = MIGRATIONS): void {
  if (versionOf(database) === migrations.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have been faster.
    const version = versionOf(database);
    if (version > migrations.length) {
      throw new Error(
        `its schema is version ${version} and this Sortie knows versions up to ${migrations.length}; ` +
          "use the newer Sortie that wrote it",
      );
    }
    for (const sql of migrations.slice(version)) database.exec(sql);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
