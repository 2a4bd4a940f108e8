// All built-in node classes by class name.
import { anomalyNodes } from "./anomaly.ts";
import { channelSelectionNodes } from "./channel-selection.ts";
import { dataNodes } from "./data.ts";
import { decisionNodes } from "./decisions.ts";
import { deepSvddNodes } from "./deep-svdd.ts";
import { dimensionalityNodes } from "./dimensionality.ts";
import { falseRgbNodes } from "./false-rgb.ts";
import { fileNodes } from "./files.ts";
import { lossNodes } from "./losses.ts";
import { metricNodes } from "./metrics.ts";
import { mixerNodes } from "./mixers.ts";
import type { NodeType } from "./node-type.ts";
import { normalizationNodes } from "./normalization.ts";
import { occlusionNodes } from "./occlusion.ts";
import { overlayNodes } from "./overlays.ts";
import { preprocessorNodes } from "./preprocessors.ts";
import { promptNodes } from "./prompts.ts";
import { spectraNodes } from "./spectra.ts";
import { supervisedRgbNodes } from "./supervised-rgb.ts";
import { testNodes } from "./test-nodes.ts";
import { videoNodes } from "./video.ts";
import { visualizerNodes } from "./visualizers.ts";

const ALL: readonly NodeType[] = [
  ...dataNodes,
  ...normalizationNodes,
  ...anomalyNodes,
  ...decisionNodes,
  ...channelSelectionNodes,
  ...falseRgbNodes,
  ...supervisedRgbNodes,
  ...mixerNodes,
  ...deepSvddNodes,
  ...dimensionalityNodes,
  ...preprocessorNodes,
  ...lossNodes,
  ...metricNodes,
  ...spectraNodes,
  ...promptNodes,
  ...overlayNodes,
  ...visualizerNodes,
  ...fileNodes,
  ...videoNodes,
  ...occlusionNodes,
  ...testNodes,
];

export const catalogue: ReadonlyMap<string, NodeType> = new Map(ALL.map((type) => [type.className, type]));
