// From settings to HiGHS's options.
import type { OptionValue } from "highs";
import { flagOf, numberOf, type SolveSettings } from "../settings.ts";

/** Which method is asked of HiGHS; `choose` is HiGHS's own choice. */
export type Method = "choose" | "pdlp" | "simplex" | "ipm";

export const methods: readonly Method[] = ["choose", "pdlp", "simplex", "ipm"];

export type HighsOptions = Record<string, OptionValue>;

const standard = { feasibility: 1e-7, mipFeasibility: 1e-6, barrier: 1e-8 } as const;

/** Seconds that the solve may take. */
export function timeLimitOf(settings: SolveSettings): number {
  return numberOf(settings, "time_limit");
}

/** What the client of an LP asked for. */
export function methodOf(settings: SolveSettings): Method {
  return methods[numberOf(settings, "method")]!;
}

export function lpOptions(settings: SolveSettings, method: Method): HighsOptions {
  const iterations = numberOf(settings, "iteration_limit");
  return {
    ...presolve(settings),
    solver: method,
    run_crossover: flagOf(settings, "crossover") ? "on" : "off",
    primal_feasibility_tolerance: tightened(standard.feasibility, numberOf(settings, "absolute_primal_tolerance")),
    dual_feasibility_tolerance: tightened(standard.feasibility, numberOf(settings, "absolute_dual_tolerance")),
    pdlp_optimality_tolerance: tightened(standard.feasibility, numberOf(settings, "relative_gap_tolerance")),
    ipm_optimality_tolerance: tightened(standard.barrier, numberOf(settings, "relative_gap_tolerance")),
    simplex_iteration_limit: iterations,
    ipm_iteration_limit: iterations,
    pdlp_iteration_limit: iterations,
    qp_iteration_limit: iterations,
  };
}

export function mipOptions(settings: SolveSettings): HighsOptions {
  const integrality = numberOf(settings, "integrality_tolerance");
  const feasibility = numberOf(settings, "absolute_tolerance");
  const observations = numberOf(settings, "reliability_branching");
  const seed = numberOf(settings, "seed");
  return {
    ...presolve(settings),
    mip_rel_gap: Math.min(Number.MAX_VALUE, Math.max(0, numberOf(settings, "relative_mip_gap"))),
    // Options must be finite.
    mip_abs_gap: Math.min(Number.MAX_VALUE, Math.max(0, numberOf(settings, "absolute_mip_gap"))),
    mip_feasibility_tolerance: tightened(standard.mipFeasibility, Math.min(integrality, feasibility)),
    mip_max_nodes: numberOf(settings, "node_limit"),
    mip_detect_symmetry: numberOf(settings, "symmetry") !== 0,
    mip_heuristic_run_feasibility_jump: numberOf(settings, "num_cpufj_threads") !== 0,
    ...(flagOf(settings, "heuristics_only") ? { mip_heuristic_effort: 1 } : {}),
    ...(observations >= 0 ? { mip_pscost_minreliable: observations } : {}),
    ...(seed >= 0 ? { random_seed: seed } : {}),
  };
}

/** HiGHS's own tolerance, or the tighter one that was asked for, as far as HiGHS goes. */
function tightened(own: number, asked: number): number {
  return Math.max(1e-10, Math.min(own, asked));
}

function presolve(settings: SolveSettings): HighsOptions {
  const presolver = numberOf(settings, "presolver");
  return { presolve: presolver === 0 ? "off" : presolver > 0 ? "on" : "choose" };
}
