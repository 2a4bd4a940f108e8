// Rules of the settings that functions and containers read.
import { DEFAULT_LIMITS } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { AwsSettingsError, type Environment, readAwsSettings } from "./settings.ts";

const NEEDED = { SORTIE_TABLE: "sortie", SORTIE_BUCKET: "sortie-data" };

function faultsOf(environment: Environment): readonly string[] {
  try {
    readAwsSettings(environment);
  } catch (error) {
    if (error instanceof AwsSettingsError) return error.faults;
    throw error;
  }
  return [];
}

describe("settings", () => {
  it("need a table and a bucket, and have defaults for all else", () => {
    expect(readAwsSettings(NEEDED)).toMatchObject({
      table: "sortie",
      bucket: "sortie-data",
      auth: "token",
      placements: {},
      inlineMemoryBytes: 3 * 2 ** 30,
      limits: DEFAULT_LIMITS,
      lingerMs: 60_000,
      task: {},
    });
  });

  it("name placements, each with all that it needs", () => {
    const settings = readAwsSettings({
      ...NEEDED,
      SORTIE_EVENT_BUS: "jobs",
      SORTIE_AUTH: "iam",
      SORTIE_SOLVE_FUNCTION: "solve",
      SORTIE_SOLVE_MEMORY_MIB: "1024",
      SORTIE_CPU_QUEUE: "cpu-queue",
      SORTIE_CPU_DEFINITION: "cpu-worker",
      SORTIE_GPU_QUEUE: "gpu-queue",
      SORTIE_GPU_DEFINITION: "gpu-worker",
      SORTIE_GPU_VCPUS: "4",
      SORTIE_GPU_MEMORY_MIB: "15000",
      SORTIE_FAIR_SHARE: "1",
      SORTIE_LINGER_SECONDS: "0",
      SORTIE_JOB_ID: "j",
      SORTIE_ATTEMPT: "2",
      SORTIE_PLACEMENT: "gpu",
      AWS_BATCH_JOB_ID: "b",
    });
    expect(settings).toMatchObject({
      eventBus: "jobs",
      auth: "iam",
      placements: {
        inline: "solve",
        cpu: { queue: "cpu-queue", definition: "cpu-worker", fairShare: true },
        gpu: { queue: "gpu-queue", definition: "gpu-worker", fairShare: true, machine: { vcpus: 4, memoryMiB: 15000 } },
      },
      inlineMemoryBytes: 2 ** 30,
      lingerMs: 0,
      task: { jobId: "j", attempt: 2, placement: "gpu", batchJobId: "b" },
    });
  });

  it("hold limits, in the units of the embedded server's; 0 is no limit where that makes sense", () => {
    const { limits } = readAwsSettings({
      ...NEEDED,
      SORTIE_LIMIT_QUEUE: "7",
      SORTIE_LIMIT_TTL: "1.5",
      SORTIE_LIMIT_UPLOADS: "3",
      SORTIE_LIMIT_UPLOAD_IDLE_SECONDS: "60",
      SORTIE_LIMIT_STORAGE_MB: "2",
      SORTIE_LIMIT_WORKER_SECONDS: "0",
      SORTIE_LIMIT_MAX_ATTEMPTS: "5",
      SORTIE_LIMIT_LEASE_SECONDS: "10",
    });
    expect(limits).toEqual({
      ...DEFAULT_LIMITS,
      jobs: 7,
      jobTtlMs: 5_400_000,
      openUploads: 3,
      uploadIdleMs: 60_000,
      storedBytes: 2 * 2 ** 20,
      workerSecondsPerDay: undefined,
      maxAttempts: 5,
      leaseMs: 10_000,
    });
  });

  it("take an empty variable for an absent one", () => {
    expect(readAwsSettings({ ...NEEDED, SORTIE_EVENT_BUS: "", SORTIE_AUTH: "" })).toMatchObject({ auth: "token" });
    expect(faultsOf({ SORTIE_TABLE: "", SORTIE_BUCKET: "b" })).toHaveLength(1);
  });

  it("tell every fault at once, each with its name, what was found and what is allowed", () => {
    expect(
      faultsOf({
        SORTIE_BUCKET: "two words",
        SORTIE_AUTH: "none",
        SORTIE_CPU_QUEUE: "q",
        SORTIE_GPU_QUEUE: "q",
        SORTIE_GPU_DEFINITION: "d",
        SORTIE_GPU_VCPUS: "many",
        SORTIE_LIMIT_QUEUE: "0",
        SORTIE_LIMIT_QUEUES: "1",
      }),
    ).toEqual([
      "SORTIE_CPU_QUEUE is set without SORTIE_CPU_DEFINITION; a placement needs both",
      'SORTIE_GPU_VCPUS is "many"; allowed is a whole number from 1 to 1024',
      "SORTIE_GPU_MEMORY_MIB is not set; with SORTIE_GPU_QUEUE it must say the size of the machines",
      "SORTIE_TABLE is not set; it must be the name of the DynamoDB table",
      'SORTIE_BUCKET is "two words"; allowed is a name without spaces',
      'SORTIE_AUTH is "none"; allowed is token or iam',
      expect.stringMatching(/^SORTIE_LIMIT_QUEUES is not a limit; there are QUEUE, UPLOADS, /),
      'SORTIE_LIMIT_QUEUE is "0"; allowed is a whole number from 1 to 1000000',
    ]);
  });

  it("never repeat a secret", () => {
    const [fault] = faultsOf({ ...NEEDED, SORTIE_WEBHOOK_SECRET: "hunter2" });
    expect(fault).toBe("SORTIE_WEBHOOK_SECRET has 7 characters; allowed is text of at least 24 characters");
  });
});
