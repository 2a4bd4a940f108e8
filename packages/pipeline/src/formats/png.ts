// Writes PNG pictures of 8 bits per sample: grey, RGB or RGBA.
import { crc32, deflateSync } from "node:zlib";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 RGB, 4 RGBA. */
  readonly channels: 1 | 3 | 4;
  /** [height, width, channels], row-major. */
  readonly pixels: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOUR_TYPE = { 1: 0, 3: 2, 4: 6 } as const;
/** PNG's filter types for a row: as it is, or as differences to the row above. */
const FILTER_NONE = 0;
const FILTER_UP = 2;

/** @throws RangeError where the pixels do not make up the picture */
export function encodePng({ width, height, channels, pixels }: Picture): Uint8Array<ArrayBuffer> {
  const row = width * channels;
  if (!(width > 0 && height > 0) || pixels.byteLength !== row * height) {
    throw new RangeError(`${pixels.byteLength} bytes are no picture of ${width} x ${height} with ${channels} channels`);
  }
  const filtered = new Uint8Array((row + 1) * height);
  for (let y = 0; y < height; y++) {
    const to = y * (row + 1);
    filtered[to] = y === 0 ? FILTER_NONE : FILTER_UP;
    for (let x = 0; x < row; x++) {
      const at = y * row + x;
      filtered[to + 1 + x] = pixels[at]! - (y === 0 ? 0 : pixels[at - row]!);
    }
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOUR_TYPE[channels], 0, 0, 0], 8);
  const chunks = [chunk("IHDR", header), chunk("IDAT", deflateSync(filtered)), chunk("IEND", new Uint8Array(0))];
  const out = new Uint8Array(SIGNATURE.length + chunks.reduce((sum, part) => sum + part.byteLength, 0));
  out.set(SIGNATURE);
  let at = SIGNATURE.length;
  for (const part of chunks) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.byteLength);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.byteLength);
  out.set(new TextEncoder().encode(type), 4);
  out.set(data, 8);
  view.setUint32(8 + data.byteLength, crc32(out.subarray(4, 8 + data.byteLength)));
  return out;
}
