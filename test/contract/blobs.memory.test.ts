// The in-memory blobs of the unit tests keep the promises of the port.
import { MemoryBlobs } from "../../packages/core/src/testing/index.ts";
import { describeBlobs } from "./blobs.suite.ts";

describeBlobs("memory", async () => {
  const blobs = new MemoryBlobs();
  return { blobs, damage: async (key, how, offset) => blobs.damage(key, how, offset) };
});
