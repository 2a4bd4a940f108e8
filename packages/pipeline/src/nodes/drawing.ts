// Drawing on 8-bit RGB frames: text of 5×7 dots, boxes, contours, curves; and pictures as artefacts.
import { encodePng } from "../formats/png.ts";
import { roundHalfEven } from "../graph/interpret.ts";
import { type Tensor, tensor, toFloat32, type Value } from "../graph/tensor.ts";

export type Colour = readonly [number, number, number];
export const WHITE: Colour = [255, 255, 255];

/** An RGB frame [height, width, 3]. */
export class Frame {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;

  constructor(height: number, width: number, pixels = new Uint8Array(height * width * 3)) {
    this.height = height;
    this.width = width;
    this.pixels = pixels;
  }

  /** Image `index` of a batch [B, H, W, 3] with values 0..1: clamped, times 255, truncated. */
  static of(images: Tensor, index = 0): Frame {
    const [, height, width] = images.shape as [number, number, number];
    const size = height * width * 3;
    const data = toFloat32(images).subarray(index * size, (index + 1) * size);
    const frame = new Frame(height, width);
    for (let i = 0; i < size; i++) frame.pixels[i] = Math.trunc(Math.min(Math.max(data[i] as number, 0), 1) * 255);
    return frame;
  }

  /** [1, H, W, 3] with values 0..1. */
  toTensor(): Tensor<"float32"> {
    return tensor(
      "float32",
      [1, this.height, this.width, 3],
      Float32Array.from(this.pixels, (p) => p / 255),
    );
  }

  contains(x: number, y: number): boolean {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  set(x: number, y: number, colour: Colour): void {
    if (this.contains(x, y)) this.pixels.set(colour, (y * this.width + x) * 3);
  }

  /** round((1 - alpha)·pixel + alpha·colour) */
  blend(x: number, y: number, colour: Colour, alpha: number): void {
    if (!this.contains(x, y)) return;
    const at = (y * this.width + x) * 3;
    for (let k = 0; k < 3; k++) {
      const mixed = (1 - alpha) * (this.pixels[at + k] as number) + alpha * (colour[k] as number);
      this.pixels[at + k] = roundHalfEven(mixed);
    }
  }

  /** Every value times `factor`, rounded; limits exclusive, clipped to the frame. */
  darken(x0: number, y0: number, x1: number, y1: number, factor: number): void {
    for (let y = Math.max(y0, 0); y < Math.min(y1, this.height); y++) {
      for (let x = Math.max(x0, 0); x < Math.min(x1, this.width); x++) {
        const at = (y * this.width + x) * 3;
        for (let k = 0; k < 3; k++) this.pixels[at + k] = roundHalfEven((this.pixels[at + k] as number) * factor);
      }
    }
  }

  /** Outline drawn inwards; x1 and y1 exclusive. */
  box(x0: number, y0: number, x1: number, y1: number, colour: Colour, thickness: number): void {
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) {
        const inner = x >= x0 + thickness && x < x1 - thickness && y >= y0 + thickness && y < y1 - thickness;
        if (!inner) this.set(x, y, colour);
      }
    }
  }

  /** Characters of 5×7 dots, one empty column between, on a darkened box with a margin of `scale` pixels. */
  text(words: string, x: number, y: number, colour: Colour, scale: number): void {
    const width = Math.max(0, words.length * 6 - 1) * scale;
    this.darken(x - scale, y - scale, x + width + scale, y + 7 * scale + scale, 0.25);
    for (const [i, character] of [...words].entries()) {
      for (const [row, bits] of (FONT[character] ?? []).entries()) {
        for (let column = 0; column < 5; column++) {
          if (((bits >> (4 - column)) & 1) === 0) continue;
          for (let dy = 0; dy < scale; dy++) {
            for (let dx = 0; dx < scale; dx++)
              this.set(x + (i * 6 + column) * scale + dx, y + row * scale + dy, colour);
          }
        }
      }
    }
  }
}

/** Rows from the top, 5 bits each, the most significant on the left. */
const FONT: Readonly<Record<string, readonly number[]>> = {
  "0": [0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e],
  "1": [0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e],
  "2": [0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f],
  "3": [0x0e, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0e],
  "4": [0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02],
  "5": [0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e],
  "6": [0x0e, 0x10, 0x1e, 0x11, 0x11, 0x11, 0x0e],
  "7": [0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08],
  "8": [0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e],
  "9": [0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x1c],
  "-": [0x00, 0x00, 0x00, 0x1f, 0x00, 0x00, 0x00],
  ".": [0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x06],
};

/** A named picture that a drawing node gives. */
export type Artifact = { readonly name: string; readonly image: Tensor<"uint8">; readonly caption: string };

export const artifact = (name: string, frame: Frame, caption = ""): Artifact => ({
  name,
  image: tensor("uint8", [frame.height, frame.width, 3], frame.pixels),
  caption,
});

/** The PNG file of an artefact. */
export function pngOfArtifact({ image }: Artifact): Uint8Array<ArrayBuffer> {
  const [height, width] = image.shape as [number, number, number];
  return encodePng({ width, height, channels: 3, pixels: image.data });
}

/** Whether a value is a list of artefacts, as drawing nodes give it. */
export function isArtifacts(value: Value | undefined): value is readonly Artifact[] & Value {
  return Array.isArray(value) && value.every((each) => typeof each === "object" && each !== null && "image" in each);
}

/** Frames side by side with a gap, on white. */
export function panels(frames: readonly Frame[], gap = 4): Frame {
  const height = Math.max(...frames.map((frame) => frame.height));
  const width = frames.reduce((sum, frame) => sum + frame.width, 0) + gap * (frames.length - 1);
  const whole = new Frame(height, width, new Uint8Array(height * width * 3).fill(255));
  let left = 0;
  for (const frame of frames) {
    for (let y = 0; y < frame.height; y++) {
      const row = frame.pixels.subarray(y * frame.width * 3, (y + 1) * frame.width * 3);
      whole.pixels.set(row, (y * width + left) * 3);
    }
    left += frame.width + gap;
  }
  return whole;
}

/** A frame from a colour per pixel. */
export function paint(height: number, width: number, colour: (index: number) => Colour): Frame {
  const frame = new Frame(height, width);
  for (let i = 0; i < height * width; i++) frame.pixels.set(colour(i), i * 3);
  return frame;
}

/** Stops of the inferno colour map, evenly spaced. */
const INFERNO: readonly Colour[] = [
  [0, 0, 4],
  [31, 12, 72],
  [85, 15, 109],
  [136, 34, 106],
  [186, 54, 85],
  [227, 89, 51],
  [249, 140, 10],
  [249, 201, 50],
  [252, 255, 164],
];
const GREY: readonly Colour[] = [
  [0, 0, 0],
  [255, 255, 255],
];
const COLOUR_MAPS: Readonly<Record<string, readonly Colour[]>> = { inferno: INFERNO, gray: GREY, grey: GREY };

/** The colour of 0..1 in a colour map; unknown maps are drawn as inferno. */
export function mapColour(value: number, map: string): Colour {
  const stops = COLOUR_MAPS[map] ?? INFERNO;
  const place = (Number.isNaN(value) ? 0 : Math.min(Math.max(value, 0), 1)) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [stops[low] as Colour, stops[low + 1] as Colour];
  const mix = (k: 0 | 1 | 2): number => Math.round(a[k] + (b[k] - a[k]) * (place - low));
  return [mix(0), mix(1), mix(2)];
}

/** Minimum and maximum; 0 and 0 of nothing. */
export function extent(values: ArrayLike<number>): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? [0, 0] : [low, high];
}
