// Video frames: handed on, or written as a file. There is no encoder here: frames are stored uncompressed in an AVI file,
// which players recognise by its content.
import { invalidValue } from "../errors.ts";
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep, type HostContext } from "../graph/host.ts";
import { at, isTensor } from "../graph/tensor.ts";
import { Frame, WHITE } from "./drawing.ts";
import { defineNode, IMAGE, optional, port } from "./node-type.ts";
import { float, int, text } from "./params.ts";

/** AVI 1.0 files hold 2 GiB at most; memory should hold less. */
const MAX_BYTES = 1 << 30;

/** A frame turned by quarter turns, counter-clockwise. */
function turned(frame: Frame, turns: number): Frame {
  let result = frame;
  for (let i = 0; i < turns; i++) {
    const { width, height, pixels } = result;
    const next = new Frame(width, height);
    for (let y = 0; y < width; y++) {
      for (let x = 0; x < height; x++) {
        const from = (x * width + (width - 1 - y)) * 3;
        next.pixels.set(pixels.subarray(from, from + 3), (y * height + x) * 3);
      }
    }
    result = next;
  }
  return result;
}

class Chunks {
  readonly #parts: Uint8Array[] = [];
  bytes = 0;

  text(words: string): this {
    return this.raw(new TextEncoder().encode(words));
  }
  numbers(...values: readonly number[]): this {
    return this.raw(new Uint8Array(Uint32Array.from(values).buffer));
  }
  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.bytes += bytes.byteLength;
    return this;
  }
  chunk(name: string, content: Uint8Array): this {
    this.text(name).numbers(content.byteLength).raw(content);
    return content.byteLength % 2 ? this.raw(new Uint8Array(1)) : this;
  }
  list(name: string, content: Chunks): this {
    return this.text("LIST")
      .numbers(content.bytes + 4)
      .text(name)
      .raw(content.whole());
  }
  whole(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

/**
 * An AVI file of uncompressed 24-bit frames, bottom row first.
 * @see "AVI RIFF File Reference", Microsoft
 */
export function aviFile(frames: readonly Frame[], frameRate: number): Uint8Array {
  const { width, height } = frames[0] as Frame;
  const row = Math.ceil((width * 3) / 4) * 4;
  const size = row * height;
  const rate = Math.round(frameRate * 1000);
  const header = new Chunks().numbers(
    Math.round(1e6 / frameRate),
    size * frameRate,
    0,
    0x10,
    frames.length,
    0,
    1,
    size,
    width,
    height,
    0,
    0,
    0,
    0,
  );
  const stream = new Chunks()
    .text("vidsDIB ")
    .numbers(0, 0, 0, 1000, rate, 0, frames.length, size, 0xffffffff, 0, 0, height * 65536 + width);
  const format = new Chunks().numbers(40, width, height, 24 * 65536 + 1, 0, size, 0, 0, 0, 0);
  const streams = new Chunks().chunk("strh", stream.whole()).chunk("strf", format.whole());
  const headers = new Chunks().chunk("avih", header.whole()).list("strl", streams);
  const movie = new Chunks();
  const index = new Chunks();
  for (const frame of frames) {
    index.text("00db").numbers(0x10, movie.bytes + 4, size);
    const bytes = new Uint8Array(size);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = ((height - 1 - y) * width + x) * 3;
        for (let k = 0; k < 3; k++) bytes[y * row + x * 3 + k] = frame.pixels[from + 2 - k] as number;
      }
    }
    movie.chunk("00db", bytes);
  }
  const body = new Chunks().text("AVI ").list("hdrl", headers).list("movi", movie).chunk("idx1", index.whole());
  return new Chunks().text("RIFF").numbers(body.bytes).raw(body.whole()).whole();
}

interface VideoAttributes {
  readonly path: string;
  readonly rate: number;
  readonly turns: number;
  readonly title: string | null;
}

const WRITE = defineHostStep("video.write", {
  pure: false,
  run: ([images, frameIds], attrs, context) => {
    const { path, rate, turns, title } = attrs as unknown as VideoAttributes;
    const batch = asTensor(images);
    const frames = recorded(context);
    for (let b = 0; b < (batch.shape[0] as number); b++) {
      const frame = turned(Frame.of(batch, b), turns);
      if (isTensor(frameIds)) frame.text(`frame ${at(frameIds, b)}`, 8, 8, WHITE, 2);
      if (title) frame.text(title, 8, frame.height - 24, WHITE, 2);
      const first = frames[0] ?? frame;
      if (first.width !== frame.width || first.height !== frame.height) {
        throw invalidValue(
          `Node '${context.node}': a frame is ${frame.width}x${frame.height}, the video ${first.width}x${first.height}`,
          { node: context.node },
        );
      }
      if ((frames.length + 1) * frame.pixels.length > MAX_BYTES) {
        throw invalidValue(`Node '${context.node}': the video exceeds ${MAX_BYTES} bytes`, { node: context.node });
      }
      frames.push(frame);
    }
    context.onClose("video", () => (frames.length > 0 ? context.files.write(path, aviFile(frames, rate)) : undefined));
    return [path];
  },
});

function recorded(context: HostContext): Frame[] {
  const known = context.memory.get("frames") as Frame[] | undefined;
  if (known) return known;
  const frames: Frame[] = [];
  context.memory.set("frames", frames);
  return frames;
}

export const videoNodes = [
  defineNode({
    className: "cuvis_ai.node.video.VideoFrameNode",
    role: "source",
    summary: "Hands frames on.",
    params: {},
    inputs: [port("rgb_image", "float32", IMAGE), optional("frame_id", "int64", ["B"])],
    outputs: [port("rgb_image", "float32", IMAGE), optional("frame_id", "int64", ["B"])],
    emit({ in: input, has }) {
      const image = { rgb_image: input("rgb_image") };
      return has("frame_id") ? { ...image, frame_id: input("frame_id") } : image;
    },
  }),
  defineNode({
    className: "cuvis_ai.node.video.ToVideoNode",
    role: "sink",
    effects: true,
    summary: "Writes frames as an uncompressed AVI file when the pipeline is let go.",
    params: {
      output_video_path: text(),
      frame_rate: float({ default: 10, exclusiveMinimum: 0 }),
      frame_rotation: int({ default: null, choices: [0, 90, -90, 180, -180, 270, -270] }),
      codec: text({ default: "mp4v" }),
      overlay_title: text({ default: null }),
    },
    inputs: [port("rgb_image", "float32", IMAGE), optional("frame_id", "int64", ["B"])],
    outputs: [port("video_path", "text", [])],
    validate(h, node) {
      if (h.text("codec").length !== 4)
        throw invalidValue(`Node '${node}': codec '${h.text("codec")}' must have 4 characters`, { node });
    },
    emit({ g, h, in: input, has }) {
      const attrs: VideoAttributes = {
        path: h.text("output_video_path"),
        rate: h.num("frame_rate"),
        turns: ((((h.numOrNull("frame_rotation") ?? 0) / 90) % 4) + 4) % 4,
        title: h.textOrNull("overlay_title"),
      };
      const inputs = has("frame_id") ? [input("rgb_image"), input("frame_id")] : [input("rgb_image")];
      return { video_path: g.host(WRITE, inputs, [{ dtype: "object" }], { ...attrs })[0] as GraphValue };
    },
  }),
];
