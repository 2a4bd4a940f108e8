// Prompts by frame: texts, boxes and masks that trackers are asked with.
import { invalidValue } from "../errors.ts";
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { at, tensor } from "../graph/tensor.ts";
import { defineNode, port } from "./node-type.ts";
import { list, type Params, text } from "./params.ts";
import { float32 } from "./statistics.ts";
import { detectionsAt, maskOf, readTracks } from "./tracks.ts";

interface TextSpec {
  readonly text: string;
  readonly frame: number;
}

/** "text@frame"; without a number after the last @ the whole is the text, for frame 0. */
function readTexts(specs: readonly unknown[], node: string): TextSpec[] {
  return specs.map((spec) => {
    const match = /^(.*)@(\d+)$/s.exec(String(spec));
    const [words, frame] = match ? [match[1] as string, Number(match[2])] : [String(spec), 0];
    if (words.trim() === "") throw invalidValue(`Node '${node}': prompt '${spec}' has no text`, { node });
    return { text: words, frame };
  });
}

interface ObjectSpec {
  readonly object: number;
  readonly detection: number;
  readonly frame: number;
}

/** "object:detection@frame". */
function readObjects(specs: readonly unknown[], node: string): ObjectSpec[] {
  return specs.map((spec) => {
    const match = /^(\d+):(\d+)@(\d+)$/.exec(String(spec));
    if (!match) throw invalidValue(`Node '${node}': prompt '${spec}' must read object:detection@frame`, { node });
    return { object: Number(match[1]), detection: Number(match[2]), frame: Number(match[3]) };
  });
}

const TEXT = defineHostStep("prompts.text", {
  pure: true,
  run: ([frameId], attrs) => {
    const frame = at(asTensor(frameId), 0);
    const specs = attrs["specs"] as TextSpec[];
    if (attrs["mode"] === "scheduled") return [specs.find((spec) => spec.frame === frame)?.text ?? ""];
    let latest: TextSpec | undefined;
    for (const spec of specs) if (spec.frame <= frame && (!latest || spec.frame >= latest.frame)) latest = spec;
    return [latest?.text ?? ""];
  },
});

const BOXES = defineHostStep("prompts.boxes", {
  pure: false,
  run: async ([frameId], attrs, context) => {
    const frame = at(asTensor(frameId), 0);
    const tracks = await readTracks(attrs["path"] as string, context);
    const due = (attrs["specs"] as ObjectSpec[]).filter((spec) => spec.frame === frame);
    const found = due.map((spec) => ({ spec, detection: detectionsAt(tracks, frame, spec.detection, context.node) }));
    const boxes = found.map(({ spec, detection }) => {
      const [x, y, w, h] = detection.box;
      return { element_id: 0, object_id: spec.object, x_min: x, y_min: y, x_max: x + w, y_max: y + h };
    });
    const corners = boxes.flatMap((box) => [box.x_min, box.y_min, box.x_max, box.y_max]);
    const ids = boxes.map((box) => box.object_id);
    return [boxes, float32([1, boxes.length, 4], corners), tensor("int64", [1, ids.length], ids)];
  },
});

const MASK = defineHostStep("prompts.mask", {
  pure: false,
  run: async ([frameId], attrs, context) => {
    const frame = at(asTensor(frameId), 0);
    const tracks = await readTracks(attrs["path"] as string, context);
    const due = (attrs["specs"] as ObjectSpec[]).filter((spec) => spec.frame === frame);
    const { height, width } = tracks;
    const mask = new Int32Array(height * width);
    for (const spec of due) {
      const detection = detectionsAt(tracks, frame, spec.detection, context.node);
      for (const [i, inside] of maskOf(detection, height, width).entries()) if (inside) mask[i] = spec.object;
    }
    return [tensor("int32", [1, height, width], mask)];
  },
});

const FRAME_ID = port("frame_id", "int64", [1]);
const FILE_PARAMS = { json_path: text(), prompt_specs: list() };
const fileAttrs = (h: Params, node: string) => ({
  path: h.text("json_path"),
  specs: readObjects(h.get("prompt_specs") as unknown[], node),
});

export const promptNodes = [
  defineNode({
    className: "cuvis_ai.node.prompts.TextPrompt",
    role: "source",
    summary: "The text that is due at a frame.",
    params: {
      prompt_specs: list(),
      prompt_mode: text({ default: "scheduled", choices: ["scheduled", "repeat"] }),
    },
    inputs: [FRAME_ID],
    outputs: [port("text_prompt", "text", [])],
    validate: (h, node) => void readTexts(h.get("prompt_specs") as unknown[], node),
    emit({ g, h, in: input, name }) {
      const attrs = { specs: readTexts(h.get("prompt_specs") as unknown[], name), mode: h.text("prompt_mode") };
      return { text_prompt: g.host(TEXT, [input("frame_id")], [{ dtype: "object" }], attrs)[0] as GraphValue };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.prompts.BBoxPrompt",
    role: "source",
    summary: "The boxes that are due at a frame, from a file of detections.",
    params: FILE_PARAMS,
    inputs: [FRAME_ID],
    outputs: [
      port("bboxes", "list", []),
      port("prompt_boxes_xyxy", "float32", [1, "N", 4]),
      port("prompt_object_ids", "int64", [1, "N"]),
    ],
    validate: (h, node) => void fileAttrs(h, node),
    emit({ g, h, in: input, name }) {
      const n = g.freshDim();
      const [bboxes, corners, ids] = g.host(
        BOXES,
        [input("frame_id")],
        [{ dtype: "object" }, { dtype: "float32", shape: [1, n, 4] }, { dtype: "int64", shape: [1, n] }],
        fileAttrs(h, name),
      ) as [GraphValue, GraphValue, GraphValue];
      return { bboxes, prompt_boxes_xyxy: corners, prompt_object_ids: ids };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.prompts.MaskPrompt",
    role: "source",
    summary: "The mask that is due at a frame, from a file of detections.",
    params: FILE_PARAMS,
    inputs: [FRAME_ID],
    outputs: [port("mask", "int32", [1, "I", "J"])],
    validate: (h, node) => void fileAttrs(h, node),
    emit({ g, h, in: input, name }) {
      const shape = [1, g.freshDim(), g.freshDim()];
      return {
        mask: g.host(MASK, [input("frame_id")], [{ dtype: "int32", shape }], fileAttrs(h, name))[0] as GraphValue,
      };
    },
  }),
];
