// The test projects: unit tests beside the code, and the suites under test/.
import { defineConfig } from "vitest/config";

const shared = {
  // Packages import each other by name; in the repository those names lead to sources.
  resolve: { conditions: ["sortie-source"] },
  ssr: { resolve: { conditions: ["sortie-source"] } },
};
const project = (name: string, include: string[], extra: Record<string, unknown> = {}) => ({
  ...shared,
  test: {
    name,
    include,
    environment: "node",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks" as const,
    // Many tests wait for processes of their own: one file after the other leaves a core idle.
    maxWorkers: 2,
    ...extra,
  },
});

export default defineConfig({
  test: {
    execArgv: ["--conditions=sortie-source", "--no-warnings=ExperimentalWarning"],
    projects: [
      project("unit", ["packages/*/src/**/*.test.ts", "functions/**/*.test.ts", "test/*.test.ts"], {
        exclude: ["**/*.fuzz.test.ts", "**/node_modules/**"],
      }),
      project("contract", ["test/contract/**/*.test.ts"]),
      project("e2e", ["test/e2e/**/*.test.ts"]),
      project("docs", ["test/docs/**/*.test.ts"], { maxWorkers: 1 }),
      project("client", ["test/client/**/*.test.ts"], {
        testTimeout: 240_000,
        globalSetup: ["test/client/record.ts"],
      }),
      project("conformance", ["test/conformance/**/*.test.ts"], {
        testTimeout: 240_000,
        // Most of these tests wait: for a job, for a function to end its wait, for a lease.
        maxWorkers: 3,
        globalSetup: ["test/conformance/record.ts"],
      }),
      project("cuvis", ["test/cuvis/**/*.test.ts"], {
        maxWorkers: 1,
        testTimeout: 120_000,
        globalSetup: ["test/cuvis/record.ts"],
      }),
      project("browser", ["test/browser/**/*.test.ts"], { testTimeout: 120_000, maxWorkers: 1 }),
      project("faults", ["test/faults/**/*.test.ts"], { testTimeout: 240_000, maxWorkers: 1 }),
      project("fuzz", ["packages/*/src/**/*.fuzz.test.ts", "test/fuzz/**/*.test.ts"], {
        testTimeout: 120_000,
        setupFiles: ["test/fuzz-seed.ts"],
      }),
    ],
  },
});
