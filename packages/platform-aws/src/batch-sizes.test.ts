// The sizes of containers.
import { describe, expect, it } from "vitest";
import { fargateSize, machineSize } from "./batch-sizes.ts";

const GIB = 2 ** 30;

describe("Fargate's sizes", () => {
  it.each([
    [0, 1, 2],
    [2 * GIB + 1, 1, 3],
    [8 * GIB, 1, 8],
    [8.5 * GIB, 2, 9],
    [30.5 * GIB, 8, 32],
    [61 * GIB, 16, 64],
    [120 * GIB, 16, 120],
  ])("%d bytes fit into %d vCPUs with %d GiB", (bytes, vcpus, gib) => {
    expect(fargateSize(bytes)).toEqual({ vcpus, memoryMiB: gib * 1024 });
  });

  it("end at 120 GiB", () => {
    expect(() => fargateSize(121 * GIB)).toThrow(/needs 121\.0 GiB.*at most 120/);
  });
});

describe("the sizes of a machine", () => {
  const machine = { vcpus: 4, memoryMiB: 15_000 };

  it("are what the job needs, up to the machine's own", () => {
    expect(machineSize(1, machine)).toEqual({ vcpus: 4, memoryMiB: 512 });
    expect(machineSize(GIB + 1, machine)).toEqual({ vcpus: 4, memoryMiB: 1025 });
    expect(() => machineSize(16 * GIB, machine)).toThrow(/needs 16384 MiB.*has 15000 MiB/);
  });
});
