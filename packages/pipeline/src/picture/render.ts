// From DOT to SVG (Graphviz as WebAssembly) and from SVG to PNG (resvg, with a font that has Helvetica's metrics).
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { instance, type Viz } from "@viz-js/viz";
import { invalidValue } from "../errors.ts";

const packages = createRequire(import.meta.url);
const FAMILY = "Arimo";

let graphviz: Promise<Viz> | undefined;
let painter: Promise<Uint8Array[]> | undefined;

/** @throws PipelineError if the text is not DOT */
export async function svgOfDot(dot: string): Promise<string> {
  graphviz ??= instance();
  const result = (await graphviz).render(dot, { engine: "dot", format: "svg" });
  if (result.status === "failure") {
    throw invalidValue(`The picture cannot be drawn: ${result.errors.map(({ message }) => message).join("; ")}`);
  }
  return result.output;
}

/** @returns the bytes of a PNG file, at twice the size of the drawing so that text stays sharp */
export async function pngOfSvg(svg: string): Promise<Uint8Array> {
  painter ??= loadPainter();
  const fontBuffers = await painter;
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

async function loadPainter(): Promise<Uint8Array[]> {
  const paths = [
    packages.resolve("@resvg/resvg-wasm/index_bg.wasm"),
    packages.resolve("@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf"),
    packages.resolve("@expo-google-fonts/arimo/700Bold/Arimo_700Bold.ttf"),
  ];
  const [wasm, ...fonts] = await Promise.all(paths.map((path) => readFile(path)));
  await initWasm(wasm as Uint8Array<ArrayBuffer>);
  return fonts;
}
