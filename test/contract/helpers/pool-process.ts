// A server with a pool of one worker and one job, made to be killed.
import { ProcessPoolDispatcher } from "@sortie/platform-local";

const [folder, jobId] = process.argv.slice(2) as [string, string];
const pool = new ProcessPoolDispatcher({
  entry: new URL("./stub-worker.ts", import.meta.url),
  args: [folder],
  dataDir: folder,
  size: 1,
});
await pool.dispatch({ jobId, tenant: "tenant", placement: "cpu", memoryBytes: 0, attempt: 1 });
