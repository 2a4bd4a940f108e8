// Pictures of pipelines: DOT and Mermaid text, SVG and PNG.
export { dotOfPipeline, dotOfPreview, type PictureConnection, type PictureNode, type PicturePipeline } from "./dot.ts";
export { mermaidOfPipeline } from "./mermaid.ts";
export { pictureOf } from "./of-pipeline.ts";
export { pngOfSvg, svgOfDot } from "./render.ts";
