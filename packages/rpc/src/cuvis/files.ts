// Where the files lie that clients of the pipeline service name: configurations, weights, saved pipelines, data.

/** A folder or a blob prefix. All paths are absolute, with forward slashes; nothing outside the allowed roots exists. */
export interface PipelineFiles {
  /** The configurations root: pipelines are discovered and saved below its `pipeline` folder. */
  readonly configs: string;
  /** The absolute form of a path that a client sent; relative ones start at the server's working directory. */
  absolute(path: string): string;
  /** What is at this path, links followed; undefined if there is nothing, or if it is not allowed. */
  stat(path: string): Promise<{ readonly kind: "file" | "folder"; readonly path: string } | undefined>;
  /** @throws CuvisError "not found" */
  read(path: string): Promise<Uint8Array>;
  /** Replaces the file as a whole; folders are made. @throws CuvisError if it is not allowed there */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** All files below a folder, relative to it, in order; undefined if there is no such folder. */
  list(folder: string): Promise<readonly string[] | undefined>;
}
