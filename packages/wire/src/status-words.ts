// How solves end, in words: each list is in the order of the wire's numbers.

/** PDLPTerminationStatus. "dual-infeasible" is unbounded. */
export const LP_STATUS_WORDS = [
  "none",
  "numerical-error",
  "optimal",
  "primal-infeasible",
  "dual-infeasible",
  "iteration-limit",
  "time-limit",
  "concurrent-limit",
  "primal-feasible",
] as const;

/** MIPTerminationStatus. */
export const MIP_STATUS_WORDS = [
  "none",
  "optimal",
  "feasible-found",
  "infeasible",
  "unbounded",
  "time-limit",
  "work-limit",
] as const;
