// A table in another process: forwards every call to a child that has the same SQLite file open.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CallOptions, Table } from "@sortie/core";

export type TableCall = {
  readonly id: number;
  readonly method: keyof Table & string;
  readonly args: readonly unknown[];
};
export type TableReply = { readonly id: number; readonly value?: unknown; readonly error?: string };

/** @param file the SQLite database */
export async function remoteTable(file: string): Promise<Table> {
  const child: ChildProcess = fork(fileURLToPath(new URL("./remote-table-process.ts", import.meta.url)), [file], {
    serialization: "advanced",
    execArgv: ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"],
  });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let calls = 0;
  child.on("message", ({ id, value, error }: TableReply) => {
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error === undefined) resolve?.(value as never);
    else reject?.(new Error(error));
  });
  await once(child, "message");
  const call =
    (method: keyof Table & string) =>
    (...args: unknown[]): Promise<never> => {
      const options = args.find((arg): arg is CallOptions => arg instanceof Object && "signal" in arg);
      options?.signal?.throwIfAborted();
      calls += 1;
      const id = calls;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        child.send({ id, method, args: args.filter((arg) => arg !== options) } satisfies TableCall);
      });
    };
  return {
    get: call("get"),
    write: call("write"),
    writeAll: call("writeAll"),
    delete: call("delete"),
    deleteRange: call("deleteRange"),
    query: call("query"),
    queryIndex: call("queryIndex"),
    waitForChange: call("waitForChange"),
    async [Symbol.asyncDispose]() {
      const exit = once(child, "exit");
      child.disconnect();
      await exit;
    },
  };
}
