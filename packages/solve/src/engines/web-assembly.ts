// The little that is needed of WebAssembly's own interface; Node's type package leaves it to the browser's.

/** A compiled module: opaque, and shared between threads when it is posted. */
export interface CompiledModule {
  readonly [Symbol.toStringTag]: "WebAssembly.Module";
}

interface Compiler {
  compile(bytes: Uint8Array): Promise<CompiledModule>;
}

export const { compile } = (globalThis as unknown as { WebAssembly: Compiler }).WebAssembly;
