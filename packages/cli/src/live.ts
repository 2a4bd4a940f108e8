// One line on a terminal that is written over as things change; whole lines where there is no terminal.

export interface Live {
  /** Whether live lines are seen at all. */
  readonly isTerminal: boolean;
  /** Columns of the terminal; 80 where there is none. */
  readonly width: number;
  /** Replaces the live line; shown on a terminal only. */
  update(text: string): void;
  /** A line that stays. */
  print(text: string): void;
  /** Takes the live line away. */
  clear(): void;
}

export interface LiveOptions {
  /** Only live lines are shown, and no line stays: for output that is read by a program. Default false. */
  readonly transient?: boolean | undefined;
}

const WIDTH = 80;
/** Columns at the end of a live line that stay free: a terminal writes ^C there, and a full line would wrap. */
export const FREE_COLUMNS = 3;

export function openLive(stream: NodeJS.WriteStream, { transient = false }: LiveOptions = {}): Live {
  let shown = false;
  const width = () => Math.max(20, stream.columns || WIDTH);
  const clear = () => {
    if (shown) stream.write("\r\x1b[K");
    shown = false;
  };
  return {
    isTerminal: stream.isTTY === true,
    get width() {
      return width();
    },
    update(text) {
      if (!stream.isTTY) return;
      stream.write(`\r\x1b[K${text.slice(0, width() - FREE_COLUMNS)}`);
      shown = true;
    },
    print(text) {
      clear();
      if (!transient) stream.write(`${text}\n`);
    },
    clear,
  };
}
