"""A model as the client holds it: the wire's arrays under the wire's names, and the scalars beside them.

    minimise or maximise  scaling · (c·x + xᵀQx + offset)   subject to row bounds, variable bounds, integrality
"""

from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

CONTINUOUS, INTEGER, SEMI_CONTINUOUS = 0, 1, 2


@dataclass(frozen=True)
class Problem:
    """An LP, MIP or QP. `arrays` maps wire names ("A_values", "c", "variable_names", …) to numpy arrays, lists of text
    (names) or bytes (row types); an array that is left out is not sent."""

    arrays: dict
    category: str = "lp"
    maximize: bool = False
    objective_scaling_factor: float = 1.0
    objective_offset: float = 0.0
    problem_name: str = ""
    objective_name: str = ""

    @property
    def variables(self):
        return len(self.arrays["c"])

    @property
    def rows(self):
        return max(len(self.arrays.get("A_offsets", [0])) - 1, 0)

    def with_arrays(self, **arrays):
        """The same model with some arrays replaced; None takes an array away."""
        merged = {name: value for name, value in (self.arrays | arrays).items() if value is not None}
        return replace(self, arrays=merged)

    def changed(self, **scalars):
        """The same model with other scalars."""
        return replace(self, **scalars)


def problem(c, rows=(), lower=None, upper=None, integer=(), semi_continuous=(), quadratic=None, **scalars):
    """A small model written down row by row.

    c: objective coefficients, [n]. rows: tuples (coefficients [n], lower, upper). lower, upper: variable bounds, [n] or
    one number, by default 0 and +inf. integer, semi_continuous: variable indices. quadratic: dense Q, [n][n], for the
    term xᵀQx without one half. scalars: the other fields of Problem.
    """
    c = np.asarray(c, dtype=np.float64)
    n = len(c)
    types = np.full(n, CONTINUOUS, dtype=np.int32)
    types[list(integer)] = INTEGER
    types[list(semi_continuous)] = SEMI_CONTINUOUS
    values, indices, offsets = _csr([coefficients for coefficients, _, _ in rows])
    arrays = {
        "A_values": values,
        "A_indices": indices,
        "A_offsets": offsets,
        "c": c,
        "variable_lower_bounds": np.broadcast_to(np.float64(0 if lower is None else lower), n).copy(),
        "variable_upper_bounds": np.broadcast_to(np.float64(inf if upper is None else upper), n).copy(),
        "constraint_lower_bounds": np.array([low for _, low, _ in rows], dtype=np.float64),
        "constraint_upper_bounds": np.array([high for _, _, high in rows], dtype=np.float64),
        "variable_types": types,
    }
    if quadratic is not None:
        arrays["Q_values"], arrays["Q_indices"], arrays["Q_offsets"] = _csr(quadratic)
    scalars.setdefault("category", "mip" if types.any() else "lp")
    return Problem(arrays, **scalars)


def _csr(dense_rows):
    values, indices, offsets = [], [], [0]
    for row in dense_rows:
        for column, value in enumerate(row):
            if value != 0:
                values.append(value)
                indices.append(column)
        offsets.append(len(values))
    return np.array(values, dtype=np.float64), np.array(indices, dtype=np.int32), np.array(offsets, dtype=np.int32)


@dataclass(frozen=True)
class Solution:
    """A result, whichever way it came. `arrays` maps the wire's array names to float64 arrays; `scalars` holds every
    scalar under its wire name."""

    category: str
    arrays: dict
    scalars: dict = field(default_factory=dict)

    @property
    def status(self):
        """Termination status; its numbering depends on the category."""
        return self.scalars[f"{self.category}_termination_status"]

    @property
    def objective(self):
        return self.scalars["primal_objective" if self.category == "lp" else "mip_objective"]

    @property
    def primal(self):
        return self.arrays.get("primal_solution" if self.category == "lp" else "mip_solution", np.empty(0))

    @property
    def dual(self):
        return self.arrays.get("dual_solution", np.empty(0))

    @property
    def reduced_cost(self):
        return self.arrays.get("reduced_cost", np.empty(0))
