// What the engine and its threads say to each other.
import type { PipelineReason } from "../errors.ts";
import type { HostAttributes } from "../graph/graph.ts";
import type { Stage } from "../graph/host.ts";
import type { Tensor, Value } from "../graph/tensor.ts";

/** The three outputs of an operation "moments". */
export interface MomentsNames {
  readonly count: string;
  readonly mean: string;
  readonly second: string;
}

/** Runs a pixel-wise session, whose model goes over tiles, in tiles of some rows. */
export interface Tiling {
  readonly rows: number;
  /** Names whose values are [B, H, ...]. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Outputs that are moments of the pixels of a tile. */
  readonly moments: readonly MomentsNames[];
}

export interface RunRequest {
  readonly type: "run";
  readonly id: number;
  readonly session: string;
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly outputs: readonly string[];
  readonly tiling?: Tiling;
  /** Feeds whose buffers come back with the answer, to be filled again. */
  readonly giveBack?: readonly string[];
}

/** Runs a host step whose result depends on its inputs alone. */
export interface HostRequest {
  readonly type: "host";
  readonly id: number;
  readonly host: string;
  readonly inputs: readonly Value[];
  readonly attrs: HostAttributes;
  readonly node: string;
  readonly stage: Stage;
}

export interface EngineFault {
  readonly id: number;
  readonly error: string;
  readonly reason: PipelineReason;
  readonly node?: string | undefined;
  readonly port?: string | undefined;
}

export type EngineRequest =
  | {
      readonly type: "load";
      readonly session: string;
      readonly model: Uint8Array;
      readonly providers: readonly string[];
    }
  | { readonly type: "release"; readonly session: string }
  | RunRequest
  | HostRequest;

export type EngineReply =
  | {
      readonly id: number;
      readonly values: ReadonlyMap<string, Tensor>;
      readonly back?: ReadonlyMap<string, Tensor>;
      readonly milliseconds: number;
      readonly provider: string;
    }
  | { readonly id: number; readonly results: readonly Value[]; readonly milliseconds: number }
  | EngineFault;
