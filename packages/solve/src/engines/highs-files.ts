// Where HiGHS and the program of its thread lie: said in one place, because a bundle keeps them elsewhere.
import { createRequire } from "node:module";

/** Sources run by type stripping in the repository and as JavaScript from the package. */
export const threadProgram = (): URL =>
  new URL(`./highs-thread.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

/** HiGHS as WebAssembly. */
export const runtimeFile = (): string => createRequire(import.meta.url).resolve("highs/runtime");
