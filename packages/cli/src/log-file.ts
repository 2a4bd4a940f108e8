// The file that keeps a solver's log, whole lines as they come.

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { UsageError } from "./connect.ts";

export interface LogFile extends AsyncDisposable {
  write(line: string): void;
}

/** @throws UsageError if it cannot be written */
export async function openLogFile(file: string): Promise<LogFile> {
  const stream = createWriteStream(file);
  try {
    await once(stream, "open");
  } catch (error) {
    throw new UsageError(`--log-file ${file} cannot be written: ${(error as Error).message}`);
  }
  let fault: Error | undefined;
  stream.on("error", (error) => {
    fault = error;
  });
  return {
    write: (line) => void stream.write(`${line}\n`),
    async [Symbol.asyncDispose]() {
      if (fault === undefined) {
        stream.end();
        await once(stream, "close");
      }
      if (fault !== undefined) process.stderr.write(`sortie: --log-file ${file}: ${fault.message}\n`);
    },
  };
}
