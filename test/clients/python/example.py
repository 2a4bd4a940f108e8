"""Solves an LP that is written down right here on a cuOpt-compatible server:

    python3 example.py localhost:5001
"""

import sys
from math import inf

from client import Client
from model import problem


def main(address):
    # maximise 0.2x − 0.1y   subject to   3x + 4y ≤ 5.4,   2.7x + 10.1y ≤ 4.9,   x, y ≥ 0
    lp = problem(
        c=[0.2, -0.1],
        rows=[([3.0, 4.0], -inf, 5.4), ([2.7, 10.1], -inf, 4.9)],
        maximize=True,
    )
    with Client(address) as client:
        solution = client.solve(lp, settings={"time_limit": 60.0}, on_log=print)
    print(f"termination status {solution.status} (2 is optimal), objective {solution.objective:g}")
    for name, value in zip("xy", solution.primal):
        print(f"  {name} = {value:g}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "localhost:5001")
