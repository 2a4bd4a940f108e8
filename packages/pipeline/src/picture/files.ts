// The files that drawing reads when it is first asked for: a bundle has them beside it instead.
import { createRequire } from "node:module";

const packages = createRequire(import.meta.url);

/** resvg as WebAssembly, and the regular and bold fonts: paths. */
export const pictureFiles = (): readonly [wasm: string, regular: string, bold: string] => [
  packages.resolve("@resvg/resvg-wasm/index_bg.wasm"),
  packages.resolve("@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf"),
  packages.resolve("@expo-google-fonts/arimo/700Bold/Arimo_700Bold.ttf"),
];
