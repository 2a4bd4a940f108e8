// Looks at what a server has stored for a job, as its worker would load it.
import { type JobInput, jobFromRow, loadArrays } from "@sortie/core";
import { openLocalPlatform } from "@sortie/platform-local";
import type { Server } from "./harness.ts";

/** The input arrays of a job, byte by byte, by their names on the wire. */
export async function storedInput(server: Server, jobId: string): Promise<Map<string, Uint8Array>> {
  const platform = await openLocalPlatform({ dataDir: server.dataDir, durability: "process" });
  try {
    const row = await platform.table.get({ pk: `job#${jobId}`, sk: "job" });
    if (!row) throw new Error(`the server has no job ${jobId}`);
    const input: JobInput = jobFromRow(row).input;
    return new Map(await loadArrays(platform, input));
  } finally {
    await platform.close();
  }
}
