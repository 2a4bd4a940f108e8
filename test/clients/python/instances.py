"""The models that the scenarios use: small ones written down, generated ones, and instances read from MPS files."""

import os
from math import inf
from pathlib import Path

import numpy as np

from model import problem
from mps import read_mps

AFIRO_OBJECTIVE = -464.7531428571
FLUGPL_OBJECTIVE = 1201500.0


def instance(name):
    """An instance of the test data: from $SORTIE_TEST_DATA/lp where set, else from the project's own set."""
    folders = [Path(__file__).resolve().parents[2] / "data" / "lp"]
    if os.environ.get("SORTIE_TEST_DATA"):
        folders.insert(0, Path(os.environ["SORTIE_TEST_DATA"]) / "lp")
    for folder in folders:
        for path in (folder / f"{name}.mps.gz", folder / f"{name}.mps"):
            if path.exists():
                return read_mps(path)
    raise FileNotFoundError(f"no {name}.mps or {name}.mps.gz in {' or '.join(map(str, folders))}")


def afiro():
    """Netlib LP: 27 rows, 32 columns, optimum −464.7531428571."""
    return instance("afiro")


def flugpl():
    """MIPLIB 3 MIP: 18 rows, 18 columns, optimum 1201500; solved within a second."""
    return instance("flugpl")


def tiny_lp(**scalars):
    """maximise x + y with x + 2y ≤ 4, 3x + y ≤ 6: optimum 2.8 at x = 1.6, y = 1.2."""
    return problem([1, 1], [([1, 2], -inf, 4), ([3, 1], -inf, 6)], maximize=True, **scalars)


def demo_lp():
    """maximise 0.2x − 0.1y with 3x + 4y ≤ 5.4, 2.7x + 10.1y ≤ 4.9: optimum 0.36 at x = 1.8, y = 0."""
    return problem([0.2, -0.1], [([3, 4], -inf, 5.4), ([2.7, 10.1], -inf, 4.9)], maximize=True)


def tiny_mip(optimum=1.0):
    """minimise x with x ≥ optimum − 0.5, x integer."""
    return problem([1], [([2], 2 * optimum - 1, inf)], upper=10, integer=[0])


def crossed_bounds_lp():
    """A variable with lower bound 2 above upper bound 1, no rows, offsets [0]: infeasible."""
    return problem([1], lower=[2], upper=[1])


def unbounded_lp():
    """minimise −x, x ≥ 0, with a row that does not hold x back."""
    return problem([-1, 0], [([0, 1], -inf, 1)])


def convex_qp():
    """minimise x² + y² − 2x − 4y: optimum −5 at x = 1, y = 2 (with one half in front of Q it would be −10)."""
    return problem([-2, -4], [([1, 1], -inf, 10)], quadratic=[[1, 0], [0, 1]])


SUDOKU = (
    "530070000600195000098000060800060003400803001700020006060000280000419005000080079"
    # A well-known puzzle with one solution, row by row; 0 is an empty cell.
)


def sudoku():
    """A 9 × 9 sudoku as a feasibility MIP: 729 binaries x[row, column, digit], 324 rows, a result of 5832 bytes."""

    def index(row, column, digit):
        return 81 * row + 9 * column + digit

    groups = []
    for a in range(9):
        for b in range(9):
            groups.append([index(a, b, k) for k in range(9)])  # one digit per cell
            groups.append([index(a, k, b) for k in range(9)])  # each digit once per row
            groups.append([index(k, a, b) for k in range(9)])  # … per column
            groups.append([index(3 * (a // 3) + k // 3, 3 * (a % 3) + k % 3, b) for k in range(9)])  # … per box
    lower = np.zeros(729)
    for cell, digit in enumerate(SUDOKU):
        if digit != "0":
            lower[index(cell // 9, cell % 9, int(digit) - 1)] = 1
    model = problem(np.zeros(729), lower=lower, upper=1, integer=range(729))
    return model.with_arrays(
        A_values=np.ones(9 * len(groups)),
        A_indices=np.array(groups, dtype=np.int32).ravel(),
        A_offsets=np.arange(0, 9 * len(groups) + 1, 9, dtype=np.int32),
        constraint_lower_bounds=np.ones(len(groups)),
        constraint_upper_bounds=np.ones(len(groups)),
    )


def sudoku_grid(assignment):
    """The digits of a sudoku solution, [9][9]; a cell without exactly one digit is 0."""
    cells = np.rint(assignment).astype(int).reshape(9, 9, 9)
    return np.where(cells.sum(axis=2) == 1, cells.argmax(axis=2) + 1, 0)


def long_mip(items=250, knapsacks=10, seed=1):
    """A multidimensional 0/1 knapsack (minimise the negated profit) whose profits follow the weights: incumbents come
    at once and often, a proof of optimality takes hours. Weights and profits after Chu & Beasley, "A genetic algorithm for
    the multidimensional knapsack problem", Journal of Heuristics 4 (1998)."""
    random = np.random.RandomState(seed)
    weights = random.randint(1, 1001, size=(knapsacks, items))
    profit = weights.sum(axis=0) / knapsacks + 500 * random.uniform(size=items)
    capacity = weights.sum(axis=1) // 2
    rows = [(weights[k], -inf, float(capacity[k])) for k in range(knapsacks)]
    return problem(-np.floor(profit), rows, upper=1, integer=range(items))


def failing_mip():
    """A semi-continuous variable without an upper bound: well formed, but the solver needs the bound, so the solve ends
    with an error."""
    return problem([1], [([1], 1, inf)], lower=[2], semi_continuous=[0])
