// From DOT to SVG (Graphviz as WebAssembly) and from SVG to PNG (resvg, with a font that has Helvetica's metrics).
import { readFile } from "node:fs/promises";
import type { Viz } from "@viz-js/viz";
import { invalidValue } from "../errors.ts";
import { pictureFiles } from "./files.ts";

const FAMILY = "Arimo";

/** Both are large and few servers are asked for a picture: they are loaded with the first one. */
let graphviz: Promise<Viz> | undefined;
let painter: Promise<Painter> | undefined;

interface Painter {
  readonly Resvg: typeof import("@resvg/resvg-wasm").Resvg;
  readonly fontBuffers: Uint8Array[];
}

/** @throws PipelineError if the text is not DOT */
export async function svgOfDot(dot: string): Promise<string> {
  graphviz ??= import("@viz-js/viz").then(({ instance }) => instance());
  const result = (await graphviz).render(dot, { engine: "dot", format: "svg" });
  if (result.status === "failure") {
    throw invalidValue(`The picture cannot be drawn: ${result.errors.map(({ message }) => message).join("; ")}`);
  }
  return result.output;
}

/** @returns the bytes of a PNG file, at twice the size of the drawing so that text stays sharp */
export async function pngOfSvg(svg: string): Promise<Uint8Array> {
  painter ??= loadPainter();
  const { Resvg, fontBuffers } = await painter;
  const picture = new Resvg(svg, {
    background: "white",
    fitTo: { mode: "zoom", value: 2 },
    font: { fontBuffers, defaultFontFamily: FAMILY, sansSerifFamily: FAMILY, serifFamily: FAMILY },
  });
  try {
    const image = picture.render();
    const png = image.asPng();
    image.free();
    return png;
  } finally {
    picture.free();
  }
}

async function loadPainter(): Promise<Painter> {
  const { initWasm, Resvg } = await import("@resvg/resvg-wasm");
  const [wasm, ...fontBuffers] = await Promise.all(pictureFiles().map((path) => readFile(path)));
  await initWasm(wasm as Uint8Array<ArrayBuffer>);
  return { Resvg, fontBuffers };
}
