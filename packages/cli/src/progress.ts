// The bar of a transfer: how much is done, how quick it goes, how long it still takes. On a terminal only.
import type { TransferProgress } from "@sortie/client";
import { bytesText, durationText } from "./format.ts";
import { FREE_COLUMNS, type Live } from "./live.ts";

export interface Bar {
  /** Where the transfer stands. The first call is its beginning: what was done by then does not count for the rate. */
  update(progress: TransferProgress): void;
  /** Takes the bar away. */
  done(): void;
}

/** A live line is not written more often than this, in milliseconds. */
const REDRAW_MS = 50;
/** The rate is that of about the last so many milliseconds. */
const RATE_MS = 3000;
/** Before so many milliseconds a rate says nothing. */
const RATE_AFTER_MS = 200;
const BAR_WIDTH = { least: 10, most: 40 } as const;

/**
 * @param label "uploading"
 * @param now milliseconds of a clock that never goes back
 */
export function openBar(live: Live, label: string, now: () => number = () => performance.now()): Bar {
  const seen: { readonly at: number; readonly bytes: number }[] = [];
  let drawnAt = -Infinity;
  return {
    update({ doneBytes, totalBytes }) {
      if (!live.isTerminal) return;
      const at = now();
      seen.push({ at, bytes: doneBytes });
      while (seen.length > 2 && at - (seen[1]?.at ?? at) > RATE_MS) seen.shift();
      if (at - drawnAt < REDRAW_MS && doneBytes < totalBytes) return;
      drawnAt = at;
      const first = seen[0] ?? { at, bytes: doneBytes };
      const elapsed = at - first.at;
      const bytesPerSecond = elapsed < RATE_AFTER_MS ? undefined : ((doneBytes - first.bytes) / elapsed) * 1000;
      live.update(barText(label, { doneBytes, totalBytes }, bytesPerSecond, live.width - FREE_COLUMNS));
    },
    done: () => live.clear(),
  };
}

/** "uploading [#####-----]  50 %  5.0 MB of 10.0 MB  2.5 MB/s  2 s left" */
export function barText(
  label: string,
  { doneBytes, totalBytes }: TransferProgress,
  bytesPerSecond: number | undefined,
  width: number,
): string {
  const share = totalBytes > 0 ? Math.min(1, doneBytes / totalBytes) : 1;
  const facts = [
    `${String(Math.floor(share * 100)).padStart(3)} %`,
    `${bytesText(doneBytes)} of ${bytesText(totalBytes)}`,
    ...(bytesPerSecond !== undefined && bytesPerSecond > 0
      ? [`${bytesText(bytesPerSecond)}/s`, `${durationText((totalBytes - doneBytes) / bytesPerSecond)} left`]
      : []),
  ].join("  ");
  const room = width - label.length - facts.length - 6;
  if (room < BAR_WIDTH.least) return `${label}  ${facts}`;
  const cells = Math.min(room, BAR_WIDTH.most);
  const filled = Math.floor(share * cells);
  return `${label} [${"#".repeat(filled)}${"-".repeat(cells - filled)}] ${facts}`;
}
