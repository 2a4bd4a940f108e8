"""The settings that a stock client always sends, with its default values (tolerances, limits in seconds).

A 26.04 settings message has no presence: what is left out is zero there, so a client sends the full set.
"""

from math import inf

LP_26_04 = {
    "absolute_gap_tolerance": 1e-4,
    "relative_gap_tolerance": 1e-4,
    "primal_infeasible_tolerance": 1e-10,
    "dual_infeasible_tolerance": 1e-10,
    "absolute_dual_tolerance": 1e-4,
    "relative_dual_tolerance": 1e-4,
    "absolute_primal_tolerance": 1e-4,
    "relative_primal_tolerance": 1e-4,
    "time_limit": inf,
    "iteration_limit": -1,
    "log_to_console": True,
    "detect_infeasibility": False,
    "strict_infeasibility": False,
    "pdlp_solver_mode": 4,
    "method": 0,
    "presolver": -1,
    "dual_postsolve": True,
    "crossover": False,
    "num_gpus": 1,
    "per_constraint_residual": False,
    "cudss_deterministic": False,
    "folding": -1,
    "augmented": -1,
    "dualize": -1,
    "ordering": -1,
    "barrier_dual_initial_point": -1,
    "eliminate_dense_columns": True,
    "save_best_primal_so_far": False,
    "first_primal_feasible": False,
    "pdlp_precision": -1,
}

MIP_26_04 = {
    "time_limit": inf,
    "relative_mip_gap": 1e-4,
    "absolute_mip_gap": 1e-10,
    "integrality_tolerance": 1e-5,
    "absolute_tolerance": 1e-6,
    "relative_tolerance": 1e-12,
    "presolve_absolute_tolerance": 1e-6,
    "log_to_console": True,
    "heuristics_only": False,
    "num_cpu_threads": -1,
    "num_gpus": 1,
    "presolver": -1,
    "mip_scaling": 2,
    "work_limit": inf,
    "node_limit": -1,
    "reliability_branching": -1,
    "mip_batch_pdlp_strong_branching": 0,
    "max_cut_passes": 10,
    "mir_cuts": -1,
    "mixed_integer_gomory_cuts": -1,
    "knapsack_cuts": -1,
    "clique_cuts": -1,
    "strong_chvatal_gomory_cuts": -1,
    "reduced_cost_strengthening": -1,
    "cut_change_threshold": -1.0,
    "cut_min_orthogonality": 0.5,
    "determinism_mode": 0,
    "seed": -1,
}

LP_NEXT = LP_26_04 | {"barrier_iterative_refinement": True, "barrier_step_scale": 0.9}

MIP_NEXT = MIP_26_04 | {
    "probing": True,
    "strong_branching_simplex_iteration_limit": -1,
    "implied_bound_cuts": -1,
    "symmetry": -1,
    "semi_continuous_big_m": 1e10,
    "population_size": 32,
    "num_cpufj_threads": 8,
    "root_lp_time_ratio": 0.1,
    "root_lp_max_time": 15.0,
    "rins_time_limit": 3.0,
    "rins_max_time_limit": 20.0,
    "rins_fix_rate": 0.5,
    "stagnation_trigger": 3,
    "max_iterations_without_improvement": 8,
    "initial_infeasibility_weight": 1000.0,
    "n_of_minimums_for_exit": 7000,
    "enabled_recombiners": 15,
    "cycle_detection_length": 30,
    "relaxed_lp_time_limit": 1.0,
    "related_vars_time_limit": 30.0,
}

STOCK_SETTINGS = {("G1", "lp"): LP_26_04, ("G1", "mip"): MIP_26_04, ("G2", "lp"): LP_NEXT, ("G2", "mip"): MIP_NEXT}
