// How much memory jobs may take, and sizes in words.
import { totalmem } from "node:os";

/** 80 % of the machine's memory, or of the container's where that is less. In bytes. */
export function defaultMemoryBudget(): number {
  // 0 where the operating system sets no limit.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.floor(0.8 * Math.min(totalmem(), limit));
}

/** "1.5 GiB", "12 MiB". */
export function sizeInWords(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
