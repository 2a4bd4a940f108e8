// Detections and tracks in COCO files: images with boxes, or videos with segmentations per frame.
import { invalidValue } from "../errors.ts";
import type { HostContext } from "../graph/host.ts";

/** One object in one frame; the box is [x, y, width, height]. */
export interface Detection {
  readonly trackId: number | undefined;
  readonly categoryId: number;
  readonly box: readonly [number, number, number, number];
  readonly score: number;
  /** COCO run lengths, column by column, as text or numbers. */
  readonly counts: string | readonly number[] | undefined;
}

export interface Tracks {
  readonly height: number;
  readonly width: number;
  /** Frame numbers in the order of the file. */
  readonly frames: readonly number[];
  readonly byFrame: ReadonlyMap<number, readonly Detection[]>;
}

type Json = Readonly<Record<string, unknown>>;
const rows = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const number = (value: unknown, fallback = 0): number => (typeof value === "number" ? value : fallback);

/** Reads a file once per node. @throws PipelineError if it is not JSON of either layout */
export async function readTracks(path: string, context: HostContext, layout?: string | null): Promise<Tracks> {
  const known = context.memory.get(`tracks:${path}`) as Tracks | undefined;
  if (known) return known;
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(await context.files.read(path)));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalidValue(`Node '${context.node}': ${path} is not JSON: ${error.message}`, { node: context.node });
  }
  if (typeof parsed !== "object" || parsed === null || !Array.isArray((parsed as Json)["annotations"])) {
    throw invalidValue(`Node '${context.node}': ${path} has no list of annotations`, { node: context.node });
  }
  const file = parsed as Json;
  const found = layoutOf(file);
  if (layout && layout !== found) {
    throw invalidValue(`Node '${context.node}': ${path} is of format ${found}, ${layout} is required`, {
      node: context.node,
    });
  }
  const tracks = found === "video_coco" ? videoTracks(file) : imageTracks(file);
  context.memory.set(`tracks:${path}`, tracks);
  return tracks;
}

/** Which layout a file has. */
const layoutOf = (file: Json): "video_coco" | "coco_bbox" =>
  Array.isArray(file["videos"]) ? "video_coco" : "coco_bbox";

function videoTracks(file: Json): Tracks {
  const video = rows(file["videos"])[0] ?? {};
  const length = number(video["length"]);
  const start = number(video["start_frame"]);
  const frames = Array.isArray(video["frame_indices"])
    ? (video["frame_indices"] as number[])
    : Array.from({ length }, (_, i) => start + i);
  const byFrame = new Map<number, Detection[]>(frames.map((frame) => [frame, []]));
  for (const annotation of rows(file["annotations"])) {
    const list = (key: string): readonly unknown[] =>
      Array.isArray(annotation[key]) ? (annotation[key] as unknown[]) : [];
    for (const [i, frame] of frames.entries()) {
      const box = list("bboxes")[i] as Detection["box"] | null | undefined;
      if (!box) continue;
      const segmentation = list("segmentations")[i] as { counts?: string | number[] } | null | undefined;
      byFrame.get(frame)?.push({
        trackId: number(annotation["track_id"], number(annotation["id"])),
        categoryId: number(annotation["category_id"], 1),
        box,
        score: number(list("detection_scores")[i], 1),
        counts: segmentation?.counts,
      });
    }
  }
  return { height: number(video["height"]), width: number(video["width"]), frames, byFrame };
}

function imageTracks(file: Json): Tracks {
  const images = rows(file["images"]);
  const frameOf = new Map<number, number>();
  for (const [i, image] of images.entries()) {
    const named = /(\d+)(?:\.\w+)?$/.exec(String(image["file_name"] ?? ""));
    frameOf.set(number(image["id"], i), named ? Number(named[1]) : number(image["id"], i));
  }
  const byFrame = new Map<number, Detection[]>([...frameOf.values()].map((frame) => [frame, []]));
  for (const annotation of rows(file["annotations"])) {
    const frame = frameOf.get(number(annotation["image_id"]));
    const box = annotation["bbox"] as Detection["box"] | undefined;
    if (frame === undefined || !box) continue;
    const segmentation = annotation["segmentation"] as { counts?: string | number[] } | undefined;
    byFrame.get(frame)?.push({
      trackId: typeof annotation["track_id"] === "number" ? annotation["track_id"] : undefined,
      categoryId: number(annotation["category_id"], 1),
      box,
      score: number(annotation["score"], 1),
      counts: segmentation?.counts,
    });
  }
  const first = images[0] ?? {};
  return { height: number(first["height"]), width: number(first["width"]), frames: [...byFrame.keys()], byFrame };
}

/** A detection by track id, or by rank of its score from 1. */
export function detectionsAt(tracks: Tracks, frame: number, which: number, node: string): Detection {
  const present = tracks.byFrame.get(frame) ?? [];
  const byId = present.find((detection) => detection.trackId === which);
  const ranked = present.toSorted((a, b) => b.score - a.score)[which - 1];
  const found = byId ?? ranked;
  if (!found) throw invalidValue(`Node '${node}': frame ${frame} has no detection ${which}`, { node });
  return found;
}

/** The mask of a detection, row-major; its box where it has no run lengths. */
export function maskOf(detection: Detection, height: number, width: number): Uint8Array {
  const mask = new Uint8Array(height * width);
  if (detection.counts === undefined) {
    const [x, y, w, h] = detection.box;
    for (let r = Math.max(0, Math.round(y)); r < Math.min(height, Math.round(y + h)); r++) {
      for (let c = Math.max(0, Math.round(x)); c < Math.min(width, Math.round(x + w)); c++) mask[r * width + c] = 1;
    }
    return mask;
  }
  const counts = typeof detection.counts === "string" ? decodeCounts(detection.counts) : detection.counts;
  let place = 0;
  for (const [i, count] of counts.entries()) {
    if (i % 2 === 1) {
      for (let k = place; k < Math.min(place + count, height * width); k++) {
        mask[(k % height) * width + Math.floor(k / height)] = 1;
      }
    }
    place += count;
  }
  return mask;
}

/** COCO's compressed run-length text: 6 bits a character from "0", 5 of value, differences to the run before last. */
export function encodeCounts(counts: readonly number[]): string {
  let result = "";
  for (const [i, count] of counts.entries()) {
    let x = i > 2 ? count - (counts[i - 2] as number) : count;
    for (let more = true; more; ) {
      let c = x & 0x1f;
      x >>= 5;
      more = (c & 0x10) !== 0 ? x !== -1 : x !== 0;
      if (more) c |= 0x20;
      result += String.fromCharCode(c + 48);
    }
  }
  return result;
}

export function decodeCounts(text: string): number[] {
  const counts: number[] = [];
  for (let p = 0; p < text.length; ) {
    let x = 0;
    let k = 0;
    for (let more = true; more; ) {
      const c = text.charCodeAt(p++) - 48;
      x |= (c & 0x1f) << (5 * k++);
      more = (c & 0x20) !== 0 && p < text.length;
      if (!more && (c & 0x10) !== 0) x |= -1 << (5 * k);
    }
    if (counts.length > 2) x += counts[counts.length - 2] as number;
    counts.push(x);
  }
  return counts;
}

/** Run lengths of a mask, column by column, starting with zeros. */
export function runLengths(inside: (row: number, column: number) => boolean, height: number, width: number): number[] {
  const counts: number[] = [];
  let value = false;
  let run = 0;
  for (let k = 0; k < height * width; k++) {
    const next = inside(k % height, Math.floor(k / height));
    if (next !== value) {
      counts.push(run);
      run = 0;
      value = next;
    }
    run++;
  }
  counts.push(run);
  return counts;
}
