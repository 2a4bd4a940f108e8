// COCO annotation files as masks: polygons and run lengths, compressed or not, become category ids per pixel.
import type { NumericArray } from "./array.ts";
import { FormatError } from "./errors.ts";

export interface CocoImage {
  readonly id: number;
  readonly fileName: string;
  readonly width: number;
  readonly height: number;
}

export interface CocoFile {
  readonly name: string;
  readonly images: readonly CocoImage[];
  /** Category names by id. */
  readonly categories: ReadonlyMap<number, string>;
  /** In order of the file, by image id. */
  readonly annotations: ReadonlyMap<number, readonly CocoAnnotation[]>;
}

export interface CocoAnnotation {
  readonly id: number | string;
  readonly categoryId: number;
  /** One polygon is x0, y0, x1, y1, … in pixels; a pixel's centre lies at half-integers. */
  readonly polygons?: readonly (readonly number[])[];
  readonly runs?: { readonly height: number; readonly width: number; readonly counts: readonly number[] };
}

/** In pixels; far beyond any image, and small enough to be exact on the grid. */
const MAX_COORDINATE = 10_000_000;

type Json = Record<string, unknown>;
const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** @throws FormatError naming the image, category or annotation */
export function parseCoco(text: string, name: string): CocoFile {
  const fault = (what: string, cause?: unknown): FormatError => new FormatError(name, what, { cause });
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (cause) {
    throw fault(`is no JSON: ${(cause as Error).message}`, cause);
  }
  if (!isRecord(root)) throw fault("is no COCO file: its top is no object");
  const rows = (key: string): Json[] => {
    const list = root[key];
    if (!Array.isArray(list) || !list.every(isRecord)) throw fault(`has no list of objects under '${key}'`);
    return list;
  };
  const images = rows("images").map((row, i): CocoImage => {
    const { id, width, height, file_name: fileName } = row;
    if (!isSize(id) || !isSize(width) || !isSize(height))
      throw fault(`images[${i}] needs integers id, width and height`);
    return { id, width, height, fileName: typeof fileName === "string" ? fileName : "" };
  });
  const known = new Set(images.map(({ id }) => id));
  const categories = new Map<number, string>();
  for (const [i, { id, name: label }] of rows("categories").entries()) {
    if (!isSize(id) || typeof label !== "string") throw fault(`categories[${i}] needs an integer id and a name`);
    categories.set(id, label);
  }
  const annotations = new Map<number, CocoAnnotation[]>();
  for (const [i, row] of rows("annotations").entries()) {
    const imageId = row["image_id"];
    const categoryId = row["category_id"];
    if (!isSize(imageId) || !known.has(imageId))
      throw fault(`annotations[${i}] has image_id ${String(imageId)}, which no image has`);
    if (!isSize(categoryId) || !categories.has(categoryId)) {
      throw fault(`annotations[${i}] has category_id ${String(categoryId)}, which no category has`);
    }
    const id = typeof row["id"] === "number" || typeof row["id"] === "string" ? row["id"] : i;
    const list = annotations.get(imageId) ?? [];
    list.push({ id, categoryId, ...segmentation(row["segmentation"], `annotations[${i}]`, name) });
    annotations.set(imageId, list);
  }
  return { name, images, categories, annotations };
}

function segmentation(value: unknown, where: string, file: string): Pick<CocoAnnotation, "polygons" | "runs"> {
  const fault = (text: string): FormatError => new FormatError(file, `${where} ${text}`);
  if (Array.isArray(value)) {
    const polygons = value.map((polygon: unknown, i) => {
      const wrong = !Array.isArray(polygon) || polygon.length < 6 || polygon.length % 2 !== 0;
      if (wrong || !polygon.every((number) => Math.abs(number) <= MAX_COORDINATE)) {
        throw fault(`has a polygon ${i} that is no list of three or more pairs of numbers up to ${MAX_COORDINATE}`);
      }
      return polygon as number[];
    });
    return { polygons };
  }
  if (!isRecord(value)) throw fault("has no segmentation; allowed are polygons and run lengths");
  const { size, counts } = value;
  if (!Array.isArray(size) || size.length !== 2 || !size.every(isSize))
    throw fault("has run lengths without size [height, width]");
  const [height, width] = size as [number, number];
  const runs = typeof counts === "string" ? unpackRuns(counts) : counts;
  if (!Array.isArray(runs) || !runs.every(isSize))
    throw fault("has run lengths that are neither integers nor their packed text");
  const total = (runs as number[]).reduce((sum, run) => sum + run, 0);
  if (total !== height * width) throw fault(`has runs of ${total} pixels for an image of ${height} x ${width}`);
  return { runs: { height, width, counts: runs as number[] } };
}

/** COCO's packed text: numbers of 5 bits per character, from the fourth on as differences to the one before the last. */
function unpackRuns(text: string): number[] | undefined {
  const counts: number[] = [];
  for (let at = 0; at < text.length; ) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const bits = text.charCodeAt(at++) - 48;
      if (!(bits >= 0 && bits < 64) || shift > 30) return undefined;
      value |= (bits & 0x1f) << shift;
      shift += 5;
      more = (bits & 0x20) !== 0;
      if (!more && bits & 0x10) value |= -1 << shift;
    }
    counts.push(counts.length > 2 ? value + counts.at(-2)! : value);
  }
  return counts;
}

/**
 * The category ids of an image's pixels, 0 where no annotation lies; where several do, the later one holds. Polygons are
 * filled as the reference library fills them: about the pixels whose centre is inside by the even-odd rule.
 * @returns int32 of shape [lines, samples]
 * @throws FormatError where the image or its run lengths have another size
 */
export function cocoMask(file: CocoFile, image: CocoImage, lines: number, samples: number): NumericArray<"int32"> {
  if (image.height !== lines || image.width !== samples) {
    throw new FormatError(
      file.name,
      `image '${image.fileName}' has ${image.height} x ${image.width} pixels, and the cube has ${lines} x ${samples}`,
    );
  }
  const data = new Int32Array(lines * samples);
  for (const { id, categoryId, polygons, runs } of file.annotations.get(image.id) ?? []) {
    for (const polygon of polygons ?? []) fillPolygon(polygon, categoryId, data, lines, samples);
    if (!runs) continue;
    if (runs.height !== lines || runs.width !== samples) {
      throw new FormatError(
        file.name,
        `annotation ${id} has run lengths of ${runs.height} x ${runs.width}, not ${lines} x ${samples}`,
      );
    }
    fillRuns(runs.counts, categoryId, data, lines, samples);
  }
  return { dtype: "int32", shape: [lines, samples], data };
}

/** Runs alternate between outside and inside, down the columns. */
function fillRuns(counts: readonly number[], value: number, data: Int32Array, lines: number, samples: number): void {
  let at = 0;
  for (const [i, count] of counts.entries()) {
    if (i % 2 === 1) {
      for (let p = at; p < at + count; p++) data[(p % lines) * samples + Math.floor(p / lines)] = value;
    }
    at += count;
  }
}

/** The reference library looks at corners on a grid of fifths of a pixel. */
const GRID = 5;
const toGrid = (coordinate: number): number => Math.trunc(GRID * coordinate + 0.5);

/**
 * Fills a polygon pixel for pixel as the reference library for COCO does: where its outline passes the middle of a column,
 * inside and outside change places from that line on.
 */
function fillPolygon(points: readonly number[], value: number, data: Int32Array, lines: number, samples: number): void {
  const turns = new Uint8Array(lines * samples + 1);
  const corners = points.length / 2;
  for (let a = 0, b = corners - 1; a < corners; b = a++) {
    const ends = [
      toGrid(points[2 * b]!),
      toGrid(points[2 * b + 1]!),
      toGrid(points[2 * a]!),
      toGrid(points[2 * a + 1]!),
    ] as const;
    markCrossings(ends, turns, lines, samples);
  }
  let inside = 0;
  for (let at = 0; at < lines * samples; at++) {
    inside ^= turns[at]!;
    if (inside) data[(at % lines) * samples + Math.floor(at / lines)] = value;
  }
}

/** The step of an edge from one grid column to the next, at the middle of each pixel column that it passes. */
function markCrossings(
  [x0, y0, x1, y1]: readonly [number, number, number, number],
  turns: Uint8Array,
  lines: number,
  samples: number,
): void {
  const middle = Math.floor(GRID / 2);
  const first = Math.max(0, Math.ceil((Math.min(x0, x1) - middle) / GRID));
  const last = Math.min(samples - 1, Math.ceil((Math.max(x0, x1) - middle) / GRID) - 1);
  const [dx, dy] = [Math.abs(x1 - x0), Math.abs(y1 - y0)];
  // Edges are followed along their longer side, from its smaller end.
  const flat = dx >= dy;
  const [xs, ys, xe, ye] = (flat ? x0 > x1 : y0 > y1) ? [x1, y1, x0, y0] : [x0, y0, x1, y1];
  const slope = flat ? (ye - ys) / dx : (xe - xs) / dy;
  for (let column = first; column <= last; column++) {
    const left = GRID * column + middle;
    let y: number;
    if (flat) {
      const at = (x: number): number => Math.trunc(ys + slope * (x - xs) + 0.5);
      y = Math.min(at(left), at(left + 1));
    } else {
      const column = (step: number): number => Math.trunc(xs + slope * step + 0.5);
      // The steps between which the grid column changes; rounding may put the estimate one off.
      let step = Math.ceil((left + 0.5 - xs) / slope);
      const crossed = (value: number): boolean => (slope > 0 ? value > left : value <= left);
      while (step > 0 && crossed(column(step - 1))) step--;
      while (step < dy && !crossed(column(step))) step++;
      y = ys + step - 1;
    }
    const line = Math.ceil(Math.min(lines, Math.max(0, (y + 0.5) / GRID - 0.5)));
    turns[column * lines + line]! ^= 1;
  }
}
