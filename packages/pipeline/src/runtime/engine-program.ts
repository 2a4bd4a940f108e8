// Where the program of an engine's thread is: a bundle has it beside it instead.

export const engineProgram = (): URL =>
  // Sources run by type stripping in the repository and as JavaScript from the package.
  new URL(`./engine-worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
