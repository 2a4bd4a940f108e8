// What the engine and its threads say to each other.
import type { Tensor } from "../graph/tensor.ts";

/** Runs a pixel-wise session in row tiles. */
export interface Tiling {
  readonly rows: number;
  /** Names whose values are [B, H, ...]. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface RunRequest {
  readonly type: "run";
  readonly id: number;
  readonly session: string;
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly outputs: readonly string[];
  readonly tiling?: Tiling;
}

export type EngineRequest =
  | {
      readonly type: "load";
      readonly session: string;
      readonly model: Uint8Array;
      readonly providers: readonly string[];
    }
  | { readonly type: "release"; readonly session: string }
  | RunRequest;

export type EngineReply =
  | {
      readonly id: number;
      readonly values: ReadonlyMap<string, Tensor>;
      readonly milliseconds: number;
      readonly provider: string;
    }
  | { readonly id: number; readonly error: string };
