// The thread that owns the connection to SQLite: executes batches, tells watchers of changes, copies the database.
import { backup, DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { Key } from "@sortie/core";
import { faultOf, isBusy } from "./sqlite-faults.ts";
import type { Answer, FromThread, Operation, ThreadData, ToThread } from "./sqlite-protocol.ts";
import { isWrite, SqliteRows } from "./sqlite-rows.ts";
import { Watches } from "./sqlite-watches.ts";

const data = workerData as ThreadData;
const port = parentPort!;
/** More pages than any database has. */
const ALL_PAGES = 2 ** 31 - 1;
const send = (message: FromThread) => port.postMessage(message);
const fault = (error: unknown): Answer => ({ op: "fault", fault: faultOf(error, data.file) });

function executeBatch(rows: SqliteRows, operations: readonly Operation[], touched: Key[]): Answer[] {
  const start = touched.length;
  try {
    return rows.batch(operations, touched, fault);
  } catch (error) {
    touched.length = start;
    if (operations.length === 1) return [fault(error)];
    // Nothing of the batch was written. Alone, each operation gets the answer that is its own: a read succeeds on a
    // full disk, a small write may. A lock has been waited for already, so its writers do not wait again.
    return operations.flatMap((operation) =>
      isBusy(error) && isWrite(operation) ? [fault(error)] : executeBatch(rows, [operation], touched),
    );
  }
}

async function copyTo(file: string): Promise<void> {
  // A connection of its own and one step: a consistent copy that neither waits for writers nor holds them up.
  const source = new DatabaseSync(data.file, { readOnly: true });
  try {
    await backup(source, file, { rate: ALL_PAGES });
  } finally {
    source.close();
  }
}

function serve(rows: SqliteRows): void {
  const watches = new Watches(rows, (ids, row) => send({ type: "changed", ids, row }));
  port.on("message", (message: ToThread) => {
    switch (message.type) {
      case "batch": {
        const touched: Key[] = [];
        const answers = executeBatch(rows, message.operations, touched);
        message.operations.forEach((operation, at) => {
          const answer = answers[at]!;
          if (operation.op !== "watch" || answer.op !== "row" || answer.row?.revision !== operation.revision) return;
          watches.add(operation.id, operation.key, operation.revision);
          answers[at] = { op: "watching" };
        });
        send({ type: "answers", answers });
        watches.check(touched);
        break;
      }
      case "unwatch":
        watches.delete(message.id);
        break;
      case "backup": {
        const { file } = message;
        copyTo(file).then(
          () => send({ type: "backed-up", file, fault: undefined }),
          (error) => send({ type: "backed-up", file, fault: faultOf(error, file) }),
        );
        break;
      }
      case "close":
        watches.close();
        rows.close();
        send({ type: "closed" });
        port.close();
        break;
    }
  });
}

try {
  const rows = new SqliteRows(data);
  serve(rows);
  send({ type: "opened" });
} catch (error) {
  send({ type: "open-failed", fault: faultOf(error, data.file) });
}
