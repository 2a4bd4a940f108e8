// Builds an encoded message from parts, and copies each part once, when the message is finished.

const WIRE_VARINT = 0;
const WIRE_I64 = 1;
const WIRE_LEN = 2;
// Protobuf gives no message more than this, and most readers refuse it.
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;
const encoder = new TextEncoder();

/**
 * Collects the fields of a message in the order they are added. Values are written as given: whether a default value
 * belongs on the wire is the caller's to say.
 */
export class MessageBuilder {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Adds encoded fields as they are. */
  raw(bytes: Uint8Array): this {
    if (bytes.length > 0) {
      this.#parts.push(bytes);
      this.#length += bytes.length;
    }
    return this;
  }

  /** A varint field; a negative number is sign-extended to 64 bits. @throws RangeError if `value` is not an integer */
  varint(number: number, value: number | boolean): this {
    return this.raw(encodeVarint(number * 8 + WIRE_VARINT)).raw(encodeVarint(Number(value)));
  }

  /** A double field. */
  double(number: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.raw(encodeVarint(number * 8 + WIRE_I64)).raw(bytes);
  }

  /** A bytes field, a packed run or an encoded message. */
  bytes(number: number, value: Uint8Array): this {
    return this.#prefix(number, value.length).raw(value);
  }

  /** A text field. */
  string(number: number, value: string): this {
    return this.bytes(number, encoder.encode(value));
  }

  /** A repeated text field, encoded into one piece of memory. */
  strings(number: number, values: readonly string[]): this {
    const tag = encodeVarint(number * 8 + WIRE_LEN);
    let capacity = 0;
    // A UTF-16 unit takes at most three bytes of UTF-8, a length at most five.
    for (const value of values) capacity += tag.length + 5 + value.length * 3;
    const bytes = new Uint8Array(capacity);
    let at = 0;
    for (const value of values) {
      bytes.set(tag, at);
      at += tag.length;
      // The text goes behind a length of the size it has if all is ASCII, and is moved if that was wrong.
      const guess = varintLength(value.length);
      const { written } = encoder.encodeInto(value, bytes.subarray(at + guess));
      const size = varintLength(written);
      if (size !== guess) bytes.copyWithin(at + size, at + guess, at + guess + written);
      let rest = written;
      for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
      bytes[at++] = rest;
      at += written;
    }
    return this.raw(bytes.subarray(0, at));
  }

  /** An embedded message; its parts are taken over, not copied. */
  message(number: number, message: MessageBuilder): this {
    this.#prefix(number, message.#length);
    for (const part of message.#parts) this.raw(part);
    return this;
  }

  /** The encoded message. @throws RangeError above 2 GiB - 1, the most that protobuf can hold */
  finish(): Uint8Array {
    if (this.#length > MAX_MESSAGE_BYTES) {
      throw new RangeError(`the message has ${this.#length} bytes, protobuf holds at most ${MAX_MESSAGE_BYTES}`);
    }
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #prefix(number: number, length: number): this {
    return this.raw(encodeVarint(number * 8 + WIRE_LEN)).raw(encodeVarint(length));
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) length++;
  return length;
}

/** A varint of up to 64 bits in two's complement. @throws RangeError if `value` is not an integer */
export function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  if (Number.isSafeInteger(value) && value >= 0) {
    let rest = value;
    while (rest >= 0x80) {
      bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    bytes.push(rest);
  } else {
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 0x80n) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
  }
  return Uint8Array.from(bytes);
}
