// Default values of solver settings, and the encoding of settings that every generation of server reads alike.

import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { MessageBuilder } from "./builder.ts";
import { isFirstReleaseSetting, type SettingsKind, settingFields } from "./generation.ts";

/** Values of settings by wire name; enums by number. */
export type SettingValues = Readonly<Record<string, number | boolean>>;

/**
 * The library's default of every setting whose default is known, by wire name. Times in seconds. The last three MIP
 * settings and the last two LP settings of the schema have no published default.
 */
export const SETTINGS_DEFAULTS: Readonly<Record<SettingsKind, SettingValues>> = {
  lp: {
    absolute_gap_tolerance: 1e-4,
    relative_gap_tolerance: 1e-4,
    primal_infeasible_tolerance: 1e-10,
    dual_infeasible_tolerance: 1e-10,
    absolute_dual_tolerance: 1e-4,
    relative_dual_tolerance: 1e-4,
    absolute_primal_tolerance: 1e-4,
    relative_primal_tolerance: 1e-4,
    time_limit: Number.POSITIVE_INFINITY,
    iteration_limit: -1,
    log_to_console: true,
    detect_infeasibility: false,
    strict_infeasibility: false,
    pdlp_solver_mode: 4,
    method: 0,
    presolver: -1,
    dual_postsolve: true,
    crossover: false,
    num_gpus: 1,
    per_constraint_residual: false,
    cudss_deterministic: false,
    folding: -1,
    augmented: -1,
    dualize: -1,
    ordering: -1,
    barrier_dual_initial_point: -1,
    eliminate_dense_columns: true,
    save_best_primal_so_far: false,
    first_primal_feasible: false,
    pdlp_precision: -1,
    barrier_iterative_refinement: true,
    barrier_step_scale: 0.9,
  },
  mip: {
    time_limit: Number.POSITIVE_INFINITY,
    relative_mip_gap: 1e-4,
    absolute_mip_gap: 1e-10,
    integrality_tolerance: 1e-5,
    absolute_tolerance: 1e-6,
    relative_tolerance: 1e-12,
    presolve_absolute_tolerance: 1e-6,
    log_to_console: true,
    heuristics_only: false,
    num_cpu_threads: -1,
    num_gpus: 1,
    presolver: -1,
    mip_scaling: 2,
    work_limit: Number.POSITIVE_INFINITY,
    node_limit: -1,
    reliability_branching: -1,
    mip_batch_pdlp_strong_branching: 0,
    max_cut_passes: 10,
    mir_cuts: -1,
    mixed_integer_gomory_cuts: -1,
    knapsack_cuts: -1,
    clique_cuts: -1,
    strong_chvatal_gomory_cuts: -1,
    reduced_cost_strengthening: -1,
    cut_change_threshold: -1,
    cut_min_orthogonality: 0.5,
    determinism_mode: 0,
    seed: -1,
    probing: true,
    strong_branching_simplex_iteration_limit: -1,
    implied_bound_cuts: -1,
    mip_batch_pdlp_reliability_branching: 0,
    symmetry: -1,
    semi_continuous_big_m: 1e10,
    population_size: 32,
    num_cpufj_threads: 8,
    presolve_time_ratio: 0.1,
    presolve_max_time: 60,
    root_lp_time_ratio: 0.1,
    root_lp_max_time: 15,
    rins_time_limit: 3,
    rins_max_time_limit: 20,
    rins_fix_rate: 0.5,
    stagnation_trigger: 3,
    max_iterations_without_improvement: 8,
    initial_infeasibility_weight: 1000,
    n_of_minimums_for_exit: 7000,
    enabled_recombiners: 15,
    cycle_detection_length: 30,
    relaxed_lp_time_limit: 1,
    related_vars_time_limit: 30,
  },
};

/**
 * Encodes settings for a server of any generation: every setting of 26.04 explicitly, zeros included, so that nothing is
 * left to what an absent setting means. Settings after 26.04 are sent only where `overrides` names them, because an older
 * server would ignore them without a word.
 * @param overrides values by wire name, in place of the defaults
 * @throws TypeError for a name that is no setting of this kind, or a value of the wrong type
 */
export function encodeSettings(kind: SettingsKind, overrides: SettingValues = {}): Uint8Array {
  const fields = settingFields(kind);
  for (const name of Object.keys(overrides)) {
    if (!fields.some((field) => field.name === name)) {
      throw new TypeError(`${name} is not a setting of ${kind === "lp" ? "a linear" : "a mixed-integer"} program`);
    }
  }
  const builder = new MessageBuilder();
  for (const field of fields) {
    const standard = isFirstReleaseSetting(kind, field.number) ? SETTINGS_DEFAULTS[kind][field.name] : undefined;
    const value = overrides[field.name] ?? standard;
    if (value !== undefined) addSetting(builder, field, value);
  }
  return builder.finish();
}

function addSetting(builder: MessageBuilder, field: DescField, value: number | boolean): void {
  const expected = field.scalar === ScalarType.BOOL ? "boolean" : "number";
  if (typeof value !== expected) {
    throw new TypeError(`${field.name} is a ${typeof value} (${value}), must be a ${expected}`);
  }
  if (field.scalar === ScalarType.DOUBLE) {
    builder.double(field.number, Number(value));
    return;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new TypeError(`${field.name} is ${value}, must be an integer`);
  }
  builder.varint(field.number, value);
}
