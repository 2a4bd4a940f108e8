// One line on a terminal that is written over as things change; whole lines where there is no terminal.

export interface Live {
  /** Replaces the live line; shown on a terminal only. */
  update(text: string): void;
  /** A line that stays. */
  print(text: string): void;
  /** Takes the live line away. */
  clear(): void;
}

export function openLive(stream: NodeJS.WriteStream): Live {
  let shown = false;
  const clear = () => {
    if (shown) stream.write("\r\x1b[K");
    shown = false;
  };
  return {
    update(text) {
      if (!stream.isTTY) return;
      const width = Math.max(20, stream.columns || 80);
      stream.write(`\r\x1b[K${text.slice(0, width - 1)}`);
      shown = true;
    },
    print(text) {
      clear();
      stream.write(`${text}\n`);
    },
    clear,
  };
}
