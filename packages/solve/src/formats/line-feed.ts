// Lines out of chunks that are cut anywhere.

const maxLineBytes = 1 << 20;
/** Larger data are cut, so that positions stay small integers. */
const sliceBytes = 1 << 26;

export interface LineReader {
  /** One line without its line feed. */
  readLine(bytes: Uint8Array, start: number, end: number): void;
  /** Whether nothing more is wanted. */
  readonly ended: boolean;
  /** The error for a line that is longer than anything sensible; `length` in bytes is what is allowed. */
  tooLong(length: number): Error;
}

export class LineFeed {
  readonly #reader: LineReader;
  /** The beginning of a line that the next chunk goes on with. */
  #carry = new Uint8Array(4096);
  #carryLength = 0;
  #isFirst = true;

  constructor(reader: LineReader) {
    this.#reader = reader;
  }

  push(data: Uint8Array): void {
    for (let at = 0; at < data.length && !this.#reader.ended; at += sliceBytes) {
      this.#pushSlice(data.subarray(at, at + sliceBytes));
    }
  }

  /** The last line may lack its line feed. */
  finish(): void {
    if (!this.#reader.ended && this.#carryLength > 0) this.#give(this.#carry, 0, this.#carryLength);
    this.#carryLength = 0;
  }

  #pushSlice(chunk: Uint8Array): void {
    let at = 0;
    while (!this.#reader.ended) {
      const lineEnd = chunk.indexOf(0x0a, at);
      if (lineEnd < 0) {
        this.#keep(chunk, at, chunk.length);
        return;
      }
      if (this.#carryLength > 0) {
        this.#keep(chunk, at, lineEnd);
        const length = this.#carryLength;
        this.#carryLength = 0;
        this.#give(this.#carry, 0, length);
      } else {
        this.#give(chunk, at, lineEnd);
      }
      at = lineEnd + 1;
    }
  }

  #give(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > maxLineBytes) throw this.#reader.tooLong(maxLineBytes);
    const hasByteOrderMark =
      this.#isFirst && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf;
    this.#isFirst = false;
    this.#reader.readLine(bytes, hasByteOrderMark ? Math.min(start + 3, end) : start, end);
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const length = this.#carryLength + end - start;
    if (length > maxLineBytes) throw this.#reader.tooLong(maxLineBytes);
    if (length > this.#carry.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#carry.length));
      larger.set(this.#carry.subarray(0, this.#carryLength));
      this.#carry = larger;
    }
    this.#carry.set(chunk.subarray(start, end), this.#carryLength);
    this.#carryLength = length;
  }
}
