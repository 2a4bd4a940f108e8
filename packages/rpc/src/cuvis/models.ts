// Configurations that arrive as JSON, checked by the models of packages/pipeline and handed on as plain data.
import { type ConfigType, ConfigValidationError, fromPlain, toPlain, validated } from "@sortie/pipeline";
import type { Json } from "@sortie/sessions";
import { invalid } from "./errors.ts";

/** A pipeline as its model has it, every default filled in. */
export interface PipelineModel {
  readonly plugins?: readonly string[] | null;
  readonly nodes: readonly {
    readonly name: string;
    readonly class_name: string;
    readonly hparams: { readonly [key: string]: unknown };
  }[];
  readonly connections: readonly { readonly source: string; readonly target: string }[];
  readonly metadata?: {
    readonly name: string;
    readonly description?: string | null;
    readonly created?: string | null;
    readonly tags?: readonly string[];
    readonly author?: string | null;
    readonly cuvis_ai_version?: string | null;
  } | null;
}

/** @throws CuvisError INVALID_ARGUMENT naming every field that does not fit */
function check(type: ConfigType, value: unknown, what: string): Json {
  try {
    return toPlain(validated(type, fromPlain(value) ?? null, "auto")) as Json;
  } catch (error) {
    if (error instanceof ConfigValidationError) throw invalid(`${what}: ${error.message}`);
    // What is nested too deeply.
    if (error instanceof RangeError) throw invalid(`${what}: ${error.message}`);
    throw error;
  }
}

export const checkPipeline = (value: unknown): PipelineModel =>
  check("pipeline", value, "Invalid pipeline config") as unknown as PipelineModel;
export const checkData = (value: unknown): Json => check("data", value, "Invalid data config");
export const checkTraining = (value: unknown): Json => check("training", value, "Invalid training config");
export const checkTrainRun = (value: unknown): Json => check("trainrun", value, "Invalid train run config");
export const defaultTraining = (): Json => check("training", {}, "training");
