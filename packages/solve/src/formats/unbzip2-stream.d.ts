// The part of unbzip2-stream that is used here: the package has no types of its own.
declare module "unbzip2-stream" {
  /** A through stream that works within `write` and `end`: what it has to say, it has said when they return. */
  interface Unbzip2 {
    on(event: "data", listener: (data: Uint8Array) => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    write(data: Uint8Array): boolean;
    end(): void;
  }
  export default function unbzip2(): Unbzip2;
}
