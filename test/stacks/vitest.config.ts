// The tests of the stacks: apart from the others, since they need SST's platform, which `npm run test:stacks` prepares.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  resolve: { conditions: ["sortie-source"] },
  ssr: { resolve: { conditions: ["sortie-source"] } },
  test: {
    name: "stacks",
    include: ["test/stacks/**/*.test.ts"],
    environment: "node",
    pool: "forks",
    execArgv: ["--conditions=sortie-source", "--no-warnings=ExperimentalWarning"],
    // One process for all files, so that each variant is synthesised once.
    isolate: false,
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
});
