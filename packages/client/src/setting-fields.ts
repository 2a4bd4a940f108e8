// The solver settings that a client may give, by kind of problem. Generated from the solver's catalogue by
// `npm run generate`; do not edit.
import type { SettingField } from "./settings.ts";

/** Settings of an LP or QP. What is left out has its default. */
export interface LpSettings {
  /**
   * Largest absolute difference of primal and dual objective at which a first-order or barrier method may stop.
   *
   * Default: 1e-4. Allowed: 0 to 0.1. On the wire: absolute_gap_tolerance.
   * Sortie: no effect.
   */
  readonly absoluteGapTolerance?: number | undefined;
  /**
   * Largest difference of primal and dual objective at which a first-order or barrier method may stop, relative to
   * the objectives.
   *
   * Default: 1e-4. Allowed: 0 to 0.1. On the wire: relative_gap_tolerance.
   * Sortie: Tightens HiGHS's optimality tolerances of PDLP (1e-7) and barrier (1e-8); never loosens them.
   */
  readonly relativeGapTolerance?: number | undefined;
  /**
   * When a model is declared primal infeasible.
   *
   * Default: 1e-10. Allowed: 0 to 0.1. On the wire: primal_infeasible_tolerance.
   * Sortie: no effect.
   */
  readonly primalInfeasibleTolerance?: number | undefined;
  /**
   * When a model is declared dual infeasible (unbounded).
   *
   * Default: 1e-10. Allowed: 0 to 0.1. On the wire: dual_infeasible_tolerance.
   * Sortie: no effect.
   */
  readonly dualInfeasibleTolerance?: number | undefined;
  /**
   * Largest violation of dual feasibility.
   *
   * Default: 1e-4. Allowed: 0 to 0.1. On the wire: absolute_dual_tolerance.
   * Sortie: Tightens HiGHS's dual feasibility tolerance (1e-7, at least 1e-10); never loosens it.
   */
  readonly absoluteDualTolerance?: number | undefined;
  /**
   * Largest violation of dual feasibility, relative to the objective coefficients.
   *
   * Default: 1e-4. Allowed: 0 to 0.1. On the wire: relative_dual_tolerance.
   * Sortie: no effect.
   */
  readonly relativeDualTolerance?: number | undefined;
  /**
   * Largest violation of a row or variable bound.
   *
   * Default: 1e-4. Allowed: 0 to 0.1. On the wire: absolute_primal_tolerance.
   * Sortie: Tightens HiGHS's primal feasibility tolerance (1e-7, at least 1e-10); never loosens it.
   */
  readonly absolutePrimalTolerance?: number | undefined;
  /**
   * Largest violation of a row or variable bound, relative to the right-hand side.
   *
   * Default: 1e-4. Allowed: 0 to 0.1. On the wire: relative_primal_tolerance.
   * Sortie: no effect.
   */
  readonly relativePrimalTolerance?: number | undefined;
  /**
   * Seconds that the solve may take.
   *
   * Default: Infinity. Allowed: at least 0. On the wire: time_limit.
   * Sortie: HiGHS's time limit, held by a watchdog as well; 0 or less stops at once with the time limit status.
   */
  readonly timeLimit?: number | undefined;
  /**
   * Iterations that the method may make; -1 and Infinity are no limit.
   *
   * Default: no limit. Allowed: at least -1. On the wire: iteration_limit.
   * Sortie: Iteration limit of whichever method runs (simplex, barrier, PDLP, quadratic).
   */
  readonly iterationLimit?: number | undefined;
  /**
   * Whether the solver writes its log to a console; a job's log is always kept.
   *
   * Default: true. On the wire: log_to_console.
   * Sortie: no effect.
   */
  readonly logToConsole?: boolean | undefined;
  /**
   * Whether PDLP looks for proofs of infeasibility.
   *
   * Default: false. On the wire: detect_infeasibility, as a parameter infeasibility_detection.
   * Sortie: Always on: HiGHS tells infeasible and unbounded models apart from optimal ones.
   */
  readonly detectInfeasibility?: boolean | undefined;
  /**
   * Whether PDLP's current and average iterate must both be found infeasible.
   *
   * Default: false. On the wire: strict_infeasibility.
   * Sortie: no effect.
   */
  readonly strictInfeasibility?: boolean | undefined;
  /**
   * PDLP's variant: 0 Stable1, 1 Stable2, 2 Methodical1, 3 Fast1, 4 Stable3.
   *
   * Default: "stable3" (4). Allowed: 0 to 4. On the wire: pdlp_solver_mode.
   * Sortie: no effect.
   */
  readonly pdlpSolverMode?: "stable1" | "stable2" | "methodical1" | "fast1" | "stable3" | number | undefined;
  /**
   * 0 concurrent, 1 PDLP, 2 dual simplex, 3 barrier.
   *
   * Default: "concurrent" (0). Allowed: 0 to 3. On the wire: method.
   * Sortie: 0 HiGHS's choice (dual simplex), 1 HiGHS's PDLP, 2 dual simplex, 3 HiGHS's barrier; simplex steps in
   * where 1 or 3 gives no answer that holds. A QP has one method whatever is asked.
   */
  readonly method?: "concurrent" | "pdlp" | "dual-simplex" | "barrier" | number | undefined;
  /**
   * -1 automatic, 0 off, 1 Papilo, 2 PSLP; anything else is read as -1.
   *
   * Default: "automatic" (-1). Allowed: -1 to 2. On the wire: presolver, as a parameter presolve.
   * Sortie: 0 switches HiGHS's presolve off, 1 and 2 switch it on, -1 lets HiGHS choose; a QP is not presolved.
   */
  readonly presolver?: "automatic" | "off" | "papilo" | "pslp" | number | undefined;
  /**
   * Whether presolve keeps what is needed to give duals of the original model.
   *
   * Default: true. On the wire: dual_postsolve.
   * Sortie: no effect.
   */
  readonly dualPostsolve?: boolean | undefined;
  /**
   * Whether an interior solution is turned into a vertex.
   *
   * Default: false. On the wire: crossover.
   * Sortie: With method 3, whether HiGHS crosses over to a basic solution.
   */
  readonly crossover?: boolean | undefined;
  /**
   * Number of GPUs.
   *
   * Default: 1. Allowed: 1 to 2. On the wire: num_gpus.
   * Sortie: no effect.
   */
  readonly numGpus?: number | undefined;
  /**
   * Whether tolerances hold for each row rather than for the norm of all.
   *
   * Default: false. On the wire: per_constraint_residual.
   * Sortie: Always on: HiGHS holds its tolerances row by row.
   */
  readonly perConstraintResidual?: boolean | undefined;
  /**
   * Whether the barrier's factorization is deterministic.
   *
   * Default: false. On the wire: cudss_deterministic.
   * Sortie: Always on: HiGHS gives the same answer each time.
   */
  readonly cudssDeterministic?: boolean | undefined;
  /**
   * Whether symmetric parts of the model are folded: -1 automatic, 0 off, 1 on.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: folding.
   * Sortie: no effect.
   */
  readonly folding?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Whether the barrier factorizes the augmented system: -1 automatic, 0 no, 1 yes.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: augmented.
   * Sortie: no effect.
   */
  readonly augmented?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Whether the barrier solves the dual model: -1 automatic, 0 no, 1 yes.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: dualize.
   * Sortie: no effect.
   */
  readonly dualize?: "automatic" | "off" | "on" | number | undefined;
  /**
   * The barrier's fill-reducing ordering: -1 automatic, 0 the library's, 1 AMD.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: ordering.
   * Sortie: no effect.
   */
  readonly ordering?: "automatic" | "default" | "amd" | number | undefined;
  /**
   * The barrier's dual starting point: -1 automatic, 0 or 1.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: barrier_dual_initial_point.
   * Sortie: no effect.
   */
  readonly barrierDualInitialPoint?: "automatic" | number | undefined;
  /**
   * Whether the barrier treats dense columns apart.
   *
   * Default: true. On the wire: eliminate_dense_columns.
   * Sortie: no effect.
   */
  readonly eliminateDenseColumns?: boolean | undefined;
  /**
   * Whether PDLP keeps its best primal point in case a limit stops it.
   *
   * Default: false. On the wire: save_best_primal_so_far.
   * Sortie: no effect.
   */
  readonly saveBestPrimalSoFar?: boolean | undefined;
  /**
   * Whether to stop at the first primal feasible point.
   *
   * Default: false. On the wire: first_primal_feasible.
   * Sortie: The model is solved without its objective: the first feasible point ends it with status primal
   * feasible.
   */
  readonly firstPrimalFeasible?: boolean | undefined;
  /**
   * PDLP's arithmetic: -1 automatic, 0 single, 1 double, 2 mixed; anything else is read as -1.
   *
   * Default: "automatic" (-1). Allowed: -1 to 2. On the wire: pdlp_precision.
   * Sortie: no effect.
   */
  readonly pdlpPrecision?: "automatic" | "single" | "double" | "mixed" | number | undefined;
  /**
   * Whether the barrier refines its linear solves.
   *
   * Default: true. On the wire: barrier_iterative_refinement.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly barrierIterativeRefinement?: boolean | undefined;
  /**
   * Fraction of the barrier's longest step that is taken.
   *
   * Default: 0.9. Allowed: 0.5 to 0.9999. On the wire: barrier_step_scale.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly barrierStepScale?: number | undefined;
  /**
   * How much presolve keeps for postsolve (a development state; its number is not settled).
   *
   * Default: 0. On the wire: postsolve_info.
   * Since cuOpt 26.08: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly postsolveInfo?: number | undefined;
  /**
   * The barrier's regularization (a development state; its number is not settled).
   *
   * Default: -1. On the wire: barrier_adaptive_regularization.
   * Since cuOpt 26.08: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly barrierAdaptiveRegularization?: number | undefined;
}

/** Settings of a MIP. What is left out has its default. */
export interface MipSettings {
  /**
   * Seconds that the solve may take; 0 and infinity are read as 1e9.
   *
   * Default: Infinity. Allowed: at least 0. On the wire: time_limit.
   * Sortie: HiGHS's time limit, held by a watchdog as well; below 0 stops at once with the time limit status.
   */
  readonly timeLimit?: number | undefined;
  /**
   * Relative gap of objective and bound at which a solution counts as optimal.
   *
   * Default: 1e-4. Allowed: 0 to 0.1. On the wire: relative_mip_gap, as a parameter mip_relative_gap.
   * Sortie: HiGHS's mip_rel_gap.
   */
  readonly relativeMipGap?: number | undefined;
  /**
   * Absolute gap of objective and bound at which a solution counts as optimal.
   *
   * Default: 1e-10. Allowed: at least 0. On the wire: absolute_mip_gap, as a parameter mip_absolute_gap.
   * Sortie: HiGHS's mip_abs_gap.
   */
  readonly absoluteMipGap?: number | undefined;
  /**
   * How far an integer variable may be from a whole number.
   *
   * Default: 1e-5. Allowed: 0 to 0.1. On the wire: integrality_tolerance, as a parameter
   * mip_integrality_tolerance.
   * Sortie: Tightens HiGHS's MIP feasibility tolerance (1e-6, at least 1e-10); never loosens it.
   */
  readonly integralityTolerance?: number | undefined;
  /**
   * Largest violation of a row or variable bound.
   *
   * Default: 1e-6. Allowed: 0 to 0.1. On the wire: absolute_tolerance, as a parameter mip_absolute_tolerance.
   * Sortie: Tightens HiGHS's MIP feasibility tolerance (1e-6, at least 1e-10); never loosens it.
   */
  readonly absoluteTolerance?: number | undefined;
  /**
   * Largest violation of a row or variable bound, relative to the right-hand side.
   *
   * Default: 1e-12. Allowed: 0 to 0.1. On the wire: relative_tolerance, as a parameter mip_relative_tolerance.
   * Sortie: no effect.
   */
  readonly relativeTolerance?: number | undefined;
  /**
   * Feasibility tolerance of presolve.
   *
   * Default: 1e-6. On the wire: presolve_absolute_tolerance.
   * Sortie: no effect.
   */
  readonly presolveAbsoluteTolerance?: number | undefined;
  /**
   * Whether the solver writes its log to a console; a job's log is always kept.
   *
   * Default: true. On the wire: log_to_console.
   * Sortie: no effect.
   */
  readonly logToConsole?: boolean | undefined;
  /**
   * Whether only heuristics look for solutions, without a proof.
   *
   * Default: false. On the wire: heuristics_only, as a parameter mip_heuristics_only.
   * Sortie: HiGHS gives its heuristics all the effort it can (mip_heuristic_effort 1); the search goes on beside
   * them.
   */
  readonly heuristicsOnly?: boolean | undefined;
  /**
   * CPU threads of the solver; -1 is automatic.
   *
   * Default: "automatic" (-1). Allowed: at least -1. On the wire: num_cpu_threads.
   * Sortie: no effect.
   */
  readonly numCpuThreads?: "automatic" | number | undefined;
  /**
   * Number of GPUs.
   *
   * Default: 1. Allowed: 1 to 2. On the wire: num_gpus.
   * Sortie: no effect.
   */
  readonly numGpus?: number | undefined;
  /**
   * -1 automatic, 0 off, 1 Papilo, 2 is read as 1; anything else is read as -1.
   *
   * Default: "automatic" (-1). Allowed: -1 to 2. On the wire: presolver, as a parameter presolve.
   * Sortie: 0 switches HiGHS's presolve off, 1 switches it on, -1 lets HiGHS choose. Where a run with it fails or
   * leaves a gap that is not allowed, another goes without it.
   */
  readonly presolver?: "automatic" | "off" | "papilo" | "pslp" | number | undefined;
  /**
   * Scaling of the model: 0 off, 1 on, 2 without the objective; anything else is read as 1.
   *
   * Default: "without-objective" (2). Allowed: 0 to 2. On the wire: mip_scaling.
   * Sortie: no effect.
   */
  readonly mipScaling?: "off" | "on" | "without-objective" | number | undefined;
  /**
   * Limit on deterministic units of work.
   *
   * Default: Infinity. Allowed: at least 0. On the wire: work_limit.
   * Sortie: no effect.
   */
  readonly workLimit?: number | undefined;
  /**
   * Nodes of the search tree that may be explored; -1 and Infinity are no limit.
   *
   * Default: no limit. On the wire: node_limit.
   * Sortie: HiGHS's mip_max_nodes; reaching it is feasible found with a solution, work limit without one.
   */
  readonly nodeLimit?: number | undefined;
  /**
   * Observations after which a pseudo-cost counts as reliable; -1 is automatic.
   *
   * Default: "automatic" (-1). Allowed: at least -1. On the wire: reliability_branching, as a parameter
   * mip_reliability_branching.
   * Sortie: 0 and more set HiGHS's mip_pscost_minreliable; -1 leaves it alone.
   */
  readonly reliabilityBranching?: "automatic" | number | undefined;
  /**
   * Whether strong branching solves its LPs together by PDLP.
   *
   * Default: 0. Allowed: 0 to 2. On the wire: mip_batch_pdlp_strong_branching.
   * Sortie: no effect.
   */
  readonly mipBatchPdlpStrongBranching?: number | undefined;
  /**
   * Rounds of cutting planes at the root; -1 is automatic.
   *
   * Default: 10. Allowed: at least -1. On the wire: max_cut_passes, as a parameter mip_cut_passes.
   * Sortie: no effect.
   */
  readonly maxCutPasses?: "automatic" | number | undefined;
  /**
   * Mixed-integer rounding cuts: -1 automatic, 0 off, 1 on.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: mir_cuts, as a parameter
   * mip_mixed_integer_rounding_cuts.
   * Sortie: no effect.
   */
  readonly mirCuts?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Gomory cuts: -1 automatic, 0 off, 1 on.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: mixed_integer_gomory_cuts, as a parameter
   * mip_mixed_integer_gomory_cuts.
   * Sortie: no effect.
   */
  readonly mixedIntegerGomoryCuts?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Knapsack cover cuts: -1 automatic, 0 off, 1 on.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: knapsack_cuts, as a parameter mip_knapsack_cuts.
   * Sortie: no effect.
   */
  readonly knapsackCuts?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Clique cuts: -1 automatic, 0 off, 1 on.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: clique_cuts, as a parameter mip_clique_cuts.
   * Sortie: no effect.
   */
  readonly cliqueCuts?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Strong Chvátal-Gomory cuts: -1 automatic, 0 off, 1 on.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: strong_chvatal_gomory_cuts, as a parameter
   * mip_strong_chvatal_gomory_cuts.
   * Sortie: no effect.
   */
  readonly strongChvatalGomoryCuts?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Bound strengthening by reduced costs: -1 automatic, 0 off, more is stronger.
   *
   * Default: "automatic" (-1). Allowed: at least -1. On the wire: reduced_cost_strengthening, as a parameter
   * mip_reduced_cost_strengthening.
   * Sortie: no effect.
   */
  readonly reducedCostStrengthening?: "automatic" | number | undefined;
  /**
   * Smallest change of the bound that makes another round of cuts worthwhile; -1 is automatic.
   *
   * Default: "automatic" (-1). Allowed: at least -1. On the wire: cut_change_threshold, as a parameter
   * mip_cut_change_threshold.
   * Sortie: no effect.
   */
  readonly cutChangeThreshold?: "automatic" | number | undefined;
  /**
   * Least orthogonality of cuts that are added together.
   *
   * Default: 0.5. Allowed: 0 to 1. On the wire: cut_min_orthogonality, as a parameter mip_cut_min_orthogonality.
   * Sortie: no effect.
   */
  readonly cutMinOrthogonality?: number | undefined;
  /**
   * 0 opportunistic, 1 deterministic.
   *
   * Default: "opportunistic" (0). Allowed: 0 to 1. On the wire: determinism_mode, as a parameter
   * mip_determinism_mode.
   * Sortie: Always deterministic: HiGHS takes the same path each time, apart from where a time limit cuts it.
   */
  readonly determinismMode?: "opportunistic" | "deterministic" | number | undefined;
  /**
   * Seed of random choices; -1 is automatic.
   *
   * Default: "automatic" (-1). Allowed: at least -1. On the wire: seed, as a parameter random_seed.
   * Sortie: HiGHS's random_seed; -1 leaves it at 0.
   */
  readonly seed?: "automatic" | number | undefined;
  /**
   * Whether presolve probes binary variables.
   *
   * Default: true. On the wire: probing, as a parameter mip_probing.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly probing?: boolean | undefined;
  /**
   * Simplex iterations of one strong branching; -1 is automatic.
   *
   * Default: "automatic" (-1). Allowed: at least -1. On the wire: strong_branching_simplex_iteration_limit, as a
   * parameter mip_strong_branching_simplex_iteration_limit.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly strongBranchingSimplexIterationLimit?: "automatic" | number | undefined;
  /**
   * Implied bound cuts: -1 automatic, 0 off, 1 on.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: implied_bound_cuts, as a parameter
   * mip_implied_bound_cuts.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly impliedBoundCuts?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Whether reliability branching solves its LPs together by PDLP.
   *
   * Default: 0. Allowed: 0 to 2. On the wire: mip_batch_pdlp_reliability_branching.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly mipBatchPdlpReliabilityBranching?: number | undefined;
  /**
   * Symmetry handling: -1 automatic, 0 off, 1 and 2 on; anything else is read as -1.
   *
   * Default: "automatic" (-1). Allowed: -1 to 2. On the wire: symmetry, as a parameter mip_symmetry.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: 0 switches HiGHS's symmetry detection off; every other value leaves it on.
   */
  readonly symmetry?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Bound that stands for infinity when semi-continuous variables are modelled.
   *
   * Default: 10000000000. On the wire: semi_continuous_big_m, as a parameter mip_semi_continuous_big_m.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: Upper bound of a semi-continuous variable that has none, if it is at most 1e5 (what HiGHS can take).
   */
  readonly semiContinuousBigM?: number | undefined;
  /**
   * Solutions kept in the heuristics' pool.
   *
   * Default: 32. On the wire: population_size, as a parameter mip_hyper_heuristic_population_size.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly populationSize?: number | undefined;
  /**
   * Feasibility jump searches beside the solver.
   *
   * Default: 8. On the wire: num_cpufj_threads, as a parameter mip_hyper_heuristic_num_cpufj_threads.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: 0 switches HiGHS's feasibility jump off; every other value leaves it on.
   */
  readonly numCpufjThreads?: number | undefined;
  /**
   * Share of the time limit that presolve may take (26.06 only, withdrawn later).
   *
   * Default: 0.1. On the wire: presolve_time_ratio, as a parameter mip_hyper_heuristic_presolve_time_ratio.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly presolveTimeRatio?: number | undefined;
  /**
   * Seconds that presolve may take (26.06 only, withdrawn later).
   *
   * Default: 60. On the wire: presolve_max_time, as a parameter mip_hyper_heuristic_presolve_max_time.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly presolveMaxTime?: number | undefined;
  /**
   * Share of the time limit that the root LP may take.
   *
   * Default: 0.1. On the wire: root_lp_time_ratio, as a parameter mip_hyper_heuristic_root_lp_time_ratio.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly rootLpTimeRatio?: number | undefined;
  /**
   * Seconds that the root LP may take.
   *
   * Default: 15. On the wire: root_lp_max_time, as a parameter mip_hyper_heuristic_root_lp_max_time.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly rootLpMaxTime?: number | undefined;
  /**
   * Seconds of one relaxation-induced neighbourhood search.
   *
   * Default: 3. On the wire: rins_time_limit, as a parameter mip_hyper_heuristic_rins_time_limit.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly rinsTimeLimit?: number | undefined;
  /**
   * Longest such search, in seconds.
   *
   * Default: 20. On the wire: rins_max_time_limit, as a parameter mip_hyper_heuristic_rins_max_time_limit.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly rinsMaxTimeLimit?: number | undefined;
  /**
   * Share of the variables that such a search fixes.
   *
   * Default: 0.5. On the wire: rins_fix_rate, as a parameter mip_hyper_heuristic_rins_fix_rate.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly rinsFixRate?: number | undefined;
  /**
   * Loops without improvement before solutions are recombined.
   *
   * Default: 3. On the wire: stagnation_trigger, as a parameter mip_hyper_heuristic_stagnation_trigger.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly stagnationTrigger?: number | undefined;
  /**
   * Steps without improvement after which diving stops.
   *
   * Default: 8. On the wire: max_iterations_without_improvement, as a parameter
   * mip_hyper_heuristic_max_iterations_without_improvement.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly maxIterationsWithoutImprovement?: number | undefined;
  /**
   * First weight of violated rows.
   *
   * Default: 1000. On the wire: initial_infeasibility_weight, as a parameter
   * mip_hyper_heuristic_initial_infeasibility_weight.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly initialInfeasibilityWeight?: number | undefined;
  /**
   * Local minima after which feasibility jump stops.
   *
   * Default: 7000. On the wire: n_of_minimums_for_exit, as a parameter mip_hyper_heuristic_n_of_minimums_for_exit.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly nOfMinimumsForExit?: number | undefined;
  /**
   * Bit mask of the ways in which solutions are recombined.
   *
   * Default: 15. On the wire: enabled_recombiners, as a parameter mip_hyper_heuristic_enabled_recombiners.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly enabledRecombiners?: number | undefined;
  /**
   * Length of the cycles that the feasibility pump looks for.
   *
   * Default: 30. On the wire: cycle_detection_length, as a parameter mip_hyper_heuristic_cycle_detection_length.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly cycleDetectionLength?: number | undefined;
  /**
   * Seconds of one relaxed LP inside a heuristic.
   *
   * Default: 1. On the wire: relaxed_lp_time_limit, as a parameter mip_hyper_heuristic_relaxed_lp_time_limit.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly relaxedLpTimeLimit?: number | undefined;
  /**
   * Seconds of the search for related variables.
   *
   * Default: 30. On the wire: related_vars_time_limit, as a parameter mip_hyper_heuristic_related_vars_time_limit.
   * Since cuOpt 26.06: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly relatedVarsTimeLimit?: number | undefined;
  /**
   * Zero-half cuts: -1 automatic, 0 off, 1 on.
   *
   * Default: "automatic" (-1). Allowed: -1 to 1. On the wire: zero_half_cuts, as a parameter mip_zero_half_cuts.
   * Since cuOpt 26.08: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly zeroHalfCuts?: "automatic" | "off" | "on" | number | undefined;
  /**
   * Rounds of presolve; -1 is automatic.
   *
   * Default: "automatic" (-1). On the wire: presolve_max_rounds, as a parameter
   * mip_hyper_heuristic_presolve_max_rounds.
   * Since cuOpt 26.08: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly presolveMaxRounds?: "automatic" | number | undefined;
  /**
   * Largest batch of probing; -1 is automatic.
   *
   * Default: "automatic" (-1). On the wire: papilo_probing_max_badgesize, as a parameter
   * mip_hyper_heuristic_papilo_probing_max_badgesize.
   * Since cuOpt 26.08: an older server ignores it. Sent only if given.
   * Sortie: no effect.
   */
  readonly papiloProbingMaxBadgesize?: "automatic" | number | undefined;
}

export const LP_SETTING_FIELDS: readonly SettingField[] = [
  { property: "absoluteGapTolerance", name: "absolute_gap_tolerance", type: "double", range: [0, 0.1] },
  { property: "relativeGapTolerance", name: "relative_gap_tolerance", type: "double", range: [0, 0.1] },
  { property: "primalInfeasibleTolerance", name: "primal_infeasible_tolerance", type: "double", range: [0, 0.1] },
  { property: "dualInfeasibleTolerance", name: "dual_infeasible_tolerance", type: "double", range: [0, 0.1] },
  { property: "absoluteDualTolerance", name: "absolute_dual_tolerance", type: "double", range: [0, 0.1] },
  { property: "relativeDualTolerance", name: "relative_dual_tolerance", type: "double", range: [0, 0.1] },
  { property: "absolutePrimalTolerance", name: "absolute_primal_tolerance", type: "double", range: [0, 0.1] },
  { property: "relativePrimalTolerance", name: "relative_primal_tolerance", type: "double", range: [0, 0.1] },
  { property: "timeLimit", name: "time_limit", type: "double", range: [0, Infinity] },
  { property: "iterationLimit", name: "iteration_limit", type: "int", range: [-1, 2147483647], infinityIs: -1 },
  { property: "logToConsole", name: "log_to_console", type: "bool" },
  { property: "detectInfeasibility", name: "detect_infeasibility", parameter: "infeasibility_detection", type: "bool" },
  { property: "strictInfeasibility", name: "strict_infeasibility", type: "bool" },
  {
    property: "pdlpSolverMode",
    name: "pdlp_solver_mode",
    type: "int",
    range: [0, 4],
    words: { stable1: 0, stable2: 1, methodical1: 2, fast1: 3, stable3: 4 },
  },
  {
    property: "method",
    name: "method",
    type: "int",
    range: [0, 3],
    words: { concurrent: 0, pdlp: 1, "dual-simplex": 2, barrier: 3 },
  },
  {
    property: "presolver",
    name: "presolver",
    parameter: "presolve",
    type: "int",
    range: [-1, 2],
    words: { automatic: -1, off: 0, papilo: 1, pslp: 2 },
  },
  { property: "dualPostsolve", name: "dual_postsolve", type: "bool" },
  { property: "crossover", name: "crossover", type: "bool" },
  { property: "numGpus", name: "num_gpus", type: "int", range: [1, 2] },
  { property: "perConstraintResidual", name: "per_constraint_residual", type: "bool" },
  { property: "cudssDeterministic", name: "cudss_deterministic", type: "bool" },
  { property: "folding", name: "folding", type: "int", range: [-1, 1], words: { automatic: -1, off: 0, on: 1 } },
  { property: "augmented", name: "augmented", type: "int", range: [-1, 1], words: { automatic: -1, off: 0, on: 1 } },
  { property: "dualize", name: "dualize", type: "int", range: [-1, 1], words: { automatic: -1, off: 0, on: 1 } },
  { property: "ordering", name: "ordering", type: "int", range: [-1, 1], words: { automatic: -1, default: 0, amd: 1 } },
  {
    property: "barrierDualInitialPoint",
    name: "barrier_dual_initial_point",
    type: "int",
    range: [-1, 1],
    words: { automatic: -1 },
  },
  { property: "eliminateDenseColumns", name: "eliminate_dense_columns", type: "bool" },
  { property: "saveBestPrimalSoFar", name: "save_best_primal_so_far", type: "bool" },
  { property: "firstPrimalFeasible", name: "first_primal_feasible", type: "bool" },
  {
    property: "pdlpPrecision",
    name: "pdlp_precision",
    type: "int",
    range: [-1, 2],
    words: { automatic: -1, single: 0, double: 1, mixed: 2 },
  },
  { property: "barrierIterativeRefinement", name: "barrier_iterative_refinement", type: "bool" },
  { property: "barrierStepScale", name: "barrier_step_scale", type: "double", range: [0.5, 0.9999] },
  { property: "postsolveInfo", name: "postsolve_info", type: "int", range: [-2147483648, 2147483647] },
  {
    property: "barrierAdaptiveRegularization",
    name: "barrier_adaptive_regularization",
    type: "int",
    range: [-2147483648, 2147483647],
  },
];

export const MIP_SETTING_FIELDS: readonly SettingField[] = [
  { property: "timeLimit", name: "time_limit", type: "double", range: [0, Infinity] },
  {
    property: "relativeMipGap",
    name: "relative_mip_gap",
    parameter: "mip_relative_gap",
    type: "double",
    range: [0, 0.1],
  },
  {
    property: "absoluteMipGap",
    name: "absolute_mip_gap",
    parameter: "mip_absolute_gap",
    type: "double",
    range: [0, Infinity],
  },
  {
    property: "integralityTolerance",
    name: "integrality_tolerance",
    parameter: "mip_integrality_tolerance",
    type: "double",
    range: [0, 0.1],
  },
  {
    property: "absoluteTolerance",
    name: "absolute_tolerance",
    parameter: "mip_absolute_tolerance",
    type: "double",
    range: [0, 0.1],
  },
  {
    property: "relativeTolerance",
    name: "relative_tolerance",
    parameter: "mip_relative_tolerance",
    type: "double",
    range: [0, 0.1],
  },
  { property: "presolveAbsoluteTolerance", name: "presolve_absolute_tolerance", type: "double" },
  { property: "logToConsole", name: "log_to_console", type: "bool" },
  { property: "heuristicsOnly", name: "heuristics_only", parameter: "mip_heuristics_only", type: "bool" },
  {
    property: "numCpuThreads",
    name: "num_cpu_threads",
    type: "int",
    range: [-1, 2147483647],
    words: { automatic: -1 },
  },
  { property: "numGpus", name: "num_gpus", type: "int", range: [1, 2] },
  {
    property: "presolver",
    name: "presolver",
    parameter: "presolve",
    type: "int",
    range: [-1, 2],
    words: { automatic: -1, off: 0, papilo: 1, pslp: 2 },
  },
  {
    property: "mipScaling",
    name: "mip_scaling",
    type: "int",
    range: [0, 2],
    words: { off: 0, on: 1, "without-objective": 2 },
  },
  { property: "workLimit", name: "work_limit", type: "double", range: [0, Infinity] },
  { property: "nodeLimit", name: "node_limit", type: "int", range: [-2147483648, 2147483647], infinityIs: -1 },
  {
    property: "reliabilityBranching",
    name: "reliability_branching",
    parameter: "mip_reliability_branching",
    type: "int",
    range: [-1, 2147483647],
    words: { automatic: -1 },
  },
  { property: "mipBatchPdlpStrongBranching", name: "mip_batch_pdlp_strong_branching", type: "int", range: [0, 2] },
  {
    property: "maxCutPasses",
    name: "max_cut_passes",
    parameter: "mip_cut_passes",
    type: "int",
    range: [-1, 2147483647],
    words: { automatic: -1 },
  },
  {
    property: "mirCuts",
    name: "mir_cuts",
    parameter: "mip_mixed_integer_rounding_cuts",
    type: "int",
    range: [-1, 1],
    words: { automatic: -1, off: 0, on: 1 },
  },
  {
    property: "mixedIntegerGomoryCuts",
    name: "mixed_integer_gomory_cuts",
    parameter: "mip_mixed_integer_gomory_cuts",
    type: "int",
    range: [-1, 1],
    words: { automatic: -1, off: 0, on: 1 },
  },
  {
    property: "knapsackCuts",
    name: "knapsack_cuts",
    parameter: "mip_knapsack_cuts",
    type: "int",
    range: [-1, 1],
    words: { automatic: -1, off: 0, on: 1 },
  },
  {
    property: "cliqueCuts",
    name: "clique_cuts",
    parameter: "mip_clique_cuts",
    type: "int",
    range: [-1, 1],
    words: { automatic: -1, off: 0, on: 1 },
  },
  {
    property: "strongChvatalGomoryCuts",
    name: "strong_chvatal_gomory_cuts",
    parameter: "mip_strong_chvatal_gomory_cuts",
    type: "int",
    range: [-1, 1],
    words: { automatic: -1, off: 0, on: 1 },
  },
  {
    property: "reducedCostStrengthening",
    name: "reduced_cost_strengthening",
    parameter: "mip_reduced_cost_strengthening",
    type: "int",
    range: [-1, 2147483647],
    words: { automatic: -1 },
  },
  {
    property: "cutChangeThreshold",
    name: "cut_change_threshold",
    parameter: "mip_cut_change_threshold",
    type: "double",
    range: [-1, Infinity],
    words: { automatic: -1 },
  },
  {
    property: "cutMinOrthogonality",
    name: "cut_min_orthogonality",
    parameter: "mip_cut_min_orthogonality",
    type: "double",
    range: [0, 1],
  },
  {
    property: "determinismMode",
    name: "determinism_mode",
    parameter: "mip_determinism_mode",
    type: "int",
    range: [0, 1],
    words: { opportunistic: 0, deterministic: 1 },
  },
  {
    property: "seed",
    name: "seed",
    parameter: "random_seed",
    type: "int",
    range: [-1, 2147483647],
    words: { automatic: -1 },
  },
  { property: "probing", name: "probing", parameter: "mip_probing", type: "bool" },
  {
    property: "strongBranchingSimplexIterationLimit",
    name: "strong_branching_simplex_iteration_limit",
    parameter: "mip_strong_branching_simplex_iteration_limit",
    type: "int",
    range: [-1, 2147483647],
    words: { automatic: -1 },
  },
  {
    property: "impliedBoundCuts",
    name: "implied_bound_cuts",
    parameter: "mip_implied_bound_cuts",
    type: "int",
    range: [-1, 1],
    words: { automatic: -1, off: 0, on: 1 },
  },
  {
    property: "mipBatchPdlpReliabilityBranching",
    name: "mip_batch_pdlp_reliability_branching",
    type: "int",
    range: [0, 2],
  },
  {
    property: "symmetry",
    name: "symmetry",
    parameter: "mip_symmetry",
    type: "int",
    range: [-1, 2],
    words: { automatic: -1, off: 0, on: 1 },
  },
  {
    property: "semiContinuousBigM",
    name: "semi_continuous_big_m",
    parameter: "mip_semi_continuous_big_m",
    type: "double",
  },
  {
    property: "populationSize",
    name: "population_size",
    parameter: "mip_hyper_heuristic_population_size",
    type: "int",
    range: [-2147483648, 2147483647],
  },
  {
    property: "numCpufjThreads",
    name: "num_cpufj_threads",
    parameter: "mip_hyper_heuristic_num_cpufj_threads",
    type: "int",
    range: [-2147483648, 2147483647],
  },
  {
    property: "presolveTimeRatio",
    name: "presolve_time_ratio",
    parameter: "mip_hyper_heuristic_presolve_time_ratio",
    type: "double",
  },
  {
    property: "presolveMaxTime",
    name: "presolve_max_time",
    parameter: "mip_hyper_heuristic_presolve_max_time",
    type: "double",
  },
  {
    property: "rootLpTimeRatio",
    name: "root_lp_time_ratio",
    parameter: "mip_hyper_heuristic_root_lp_time_ratio",
    type: "double",
  },
  {
    property: "rootLpMaxTime",
    name: "root_lp_max_time",
    parameter: "mip_hyper_heuristic_root_lp_max_time",
    type: "double",
  },
  {
    property: "rinsTimeLimit",
    name: "rins_time_limit",
    parameter: "mip_hyper_heuristic_rins_time_limit",
    type: "double",
  },
  {
    property: "rinsMaxTimeLimit",
    name: "rins_max_time_limit",
    parameter: "mip_hyper_heuristic_rins_max_time_limit",
    type: "double",
  },
  { property: "rinsFixRate", name: "rins_fix_rate", parameter: "mip_hyper_heuristic_rins_fix_rate", type: "double" },
  {
    property: "stagnationTrigger",
    name: "stagnation_trigger",
    parameter: "mip_hyper_heuristic_stagnation_trigger",
    type: "int",
    range: [-2147483648, 2147483647],
  },
  {
    property: "maxIterationsWithoutImprovement",
    name: "max_iterations_without_improvement",
    parameter: "mip_hyper_heuristic_max_iterations_without_improvement",
    type: "int",
    range: [-2147483648, 2147483647],
  },
  {
    property: "initialInfeasibilityWeight",
    name: "initial_infeasibility_weight",
    parameter: "mip_hyper_heuristic_initial_infeasibility_weight",
    type: "double",
  },
  {
    property: "nOfMinimumsForExit",
    name: "n_of_minimums_for_exit",
    parameter: "mip_hyper_heuristic_n_of_minimums_for_exit",
    type: "int",
    range: [-2147483648, 2147483647],
  },
  {
    property: "enabledRecombiners",
    name: "enabled_recombiners",
    parameter: "mip_hyper_heuristic_enabled_recombiners",
    type: "int",
    range: [-2147483648, 2147483647],
  },
  {
    property: "cycleDetectionLength",
    name: "cycle_detection_length",
    parameter: "mip_hyper_heuristic_cycle_detection_length",
    type: "int",
    range: [-2147483648, 2147483647],
  },
  {
    property: "relaxedLpTimeLimit",
    name: "relaxed_lp_time_limit",
    parameter: "mip_hyper_heuristic_relaxed_lp_time_limit",
    type: "double",
  },
  {
    property: "relatedVarsTimeLimit",
    name: "related_vars_time_limit",
    parameter: "mip_hyper_heuristic_related_vars_time_limit",
    type: "double",
  },
  {
    property: "zeroHalfCuts",
    name: "zero_half_cuts",
    parameter: "mip_zero_half_cuts",
    type: "int",
    range: [-1, 1],
    words: { automatic: -1, off: 0, on: 1 },
  },
  {
    property: "presolveMaxRounds",
    name: "presolve_max_rounds",
    parameter: "mip_hyper_heuristic_presolve_max_rounds",
    type: "int",
    range: [-2147483648, 2147483647],
    words: { automatic: -1 },
  },
  {
    property: "papiloProbingMaxBadgesize",
    name: "papilo_probing_max_badgesize",
    parameter: "mip_hyper_heuristic_papilo_probing_max_badgesize",
    type: "int",
    range: [-2147483648, 2147483647],
    words: { automatic: -1 },
  },
];
