// A picture of scores: dark for low, bright for high.
import { encodePng, mapColour } from "@sortie/pipeline";

/** Small scenes are drawn larger, so that they can be seen. */
const LEAST_PIXELS = 256;
/** A few scores far above all others would leave the rest black: colours end at this quantile. */
const BRIGHTEST = 0.995;

/**
 * @param scores [lines, samples], row-major
 * @returns a PNG file; colours run from the lowest score to the 99.5 % quantile, NaN is black
 */
export function heatMap(scores: Float64Array, lines: number, samples: number): Uint8Array<ArrayBuffer> {
  const [low, high] = colourRange(scores);
  const scale = Math.max(1, Math.floor(LEAST_PIXELS / Math.max(lines, samples)));
  const [height, width] = [lines * scale, samples * scale];
  const pixels = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const score = scores[Math.floor(y / scale) * samples + Math.floor(x / scale)] as number;
      pixels.set(mapColour((score - low) / (high - low), "inferno"), (y * width + x) * 3);
    }
  }
  return encodePng({ width, height, channels: 3, pixels });
}

function colourRange(scores: Float64Array): [low: number, high: number] {
  const sorted = scores.filter(Number.isFinite).sort();
  const low = sorted[0] ?? 0;
  const bright = sorted[Math.floor(BRIGHTEST * (sorted.length - 1))] ?? 0;
  const high = bright > low ? bright : (sorted.at(-1) ?? 0);
  return [low, high > low ? high : low + 1];
}
