// What a Batch job may ask for. Pure.
import { DomainError } from "@sortie/core";

export interface ContainerSize {
  readonly vcpus: number;
  readonly memoryMiB: number;
}

/**
 * The sizes that Fargate offers: for each number of vCPUs the least and most memory and the step between, in GiB.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
 */
const FARGATE = [
  { vcpus: 1, least: 2, most: 8, step: 1 },
  { vcpus: 2, least: 4, most: 16, step: 1 },
  { vcpus: 4, least: 8, most: 30, step: 1 },
  { vcpus: 8, least: 16, most: 60, step: 4 },
  { vcpus: 16, least: 32, most: 120, step: 8 },
] as const;

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/**
 * The smallest Fargate size that holds a job.
 * @throws DomainError "too-large" if none does
 */
export function fargateSize(memoryBytes: number): ContainerSize {
  const gib = memoryBytes / GIB;
  for (const { vcpus, least, most, step } of FARGATE) {
    const memory = least + Math.ceil(Math.max(0, gib - least) / step) * step;
    if (memory <= most) return { vcpus, memoryMiB: memory * 1024 };
  }
  throw new DomainError("too-large", `the job needs ${gib.toFixed(1)} GiB of memory; Fargate offers at most 120 GiB`);
}

/** The size on machines of one kind, where a job may ask for any memory up to the machine's. */
export function machineSize(memoryBytes: number, machine: ContainerSize): ContainerSize {
  const memoryMiB = Math.max(512, Math.ceil(memoryBytes / MIB));
  if (memoryMiB <= machine.memoryMiB) return { vcpus: machine.vcpus, memoryMiB };
  throw new DomainError(
    "too-large",
    `the job needs ${memoryMiB} MiB of memory; a machine of this placement has ${machine.memoryMiB} MiB`,
  );
}
