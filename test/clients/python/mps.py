"""A small MPS reader (fixed layout without blanks in names, and free layout; plain or gzip) for the test instances.

Returns the arrays under the wire's names. Sections: NAME, OBJSENSE, ROWS, COLUMNS with MARKER, RHS, RANGES, BOUNDS.
"""

import gzip
from math import inf, isinf

import numpy as np

from model import INTEGER, Problem


def read_mps(path):
    """The Problem in an MPS file; ValueError names the file, the line and what was found."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        reader = _Reader()
        for number, line in enumerate(file, start=1):
            try:
                reader.read(line)
            except (KeyError, IndexError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: {error!r} in {line.rstrip()!r}") from error
    return reader.problem()


class _Reader:
    def __init__(self):
        self.name, self.section, self.objective, self.maximize = "", "", None, False
        self.row_of, self.sense, self.rhs, self.range_of, self.offset = {}, [], {}, {}, 0.0
        self.column_of, self.entries, self.cost, self.integer = {}, [], {}, False
        self.lower, self.upper, self.types = [], [], []

    def read(self, line):
        if line.startswith("*") or not line.strip():
            return
        words = line.split()
        if not line[0].isspace():
            self.section = words[0].upper()
            if self.section == "NAME":
                self.name = " ".join(words[1:])
            elif self.section == "OBJSENSE" and words[1:]:
                self.maximize = words[1].upper().startswith("MAX")
            elif self.section not in ("OBJSENSE", "ROWS", "COLUMNS", "RHS", "RANGES", "BOUNDS", "ENDATA"):
                raise ValueError(f"unknown section {words[0]}")
            return
        getattr(self, f"_{self.section.lower()}")(words)

    def _objsense(self, words):
        self.maximize = words[0].upper().startswith("MAX")

    def _rows(self, words):
        sense, name = words[0].upper(), words[1]
        if sense != "N":
            self.row_of[name] = len(self.sense)
            self.sense.append(sense)
        elif self.objective is None:
            self.objective = name
        else:
            self.row_of[name] = None  # further free rows are dropped

    def _columns(self, words):
        if len(words) > 1 and words[1].strip("'") == "MARKER":
            self.integer = words[2].strip("'") == "INTORG"
            return
        if words[0] not in self.column_of:
            self.column_of[words[0]] = len(self.types)
            self.types.append(INTEGER if self.integer else 0)
            self.lower.append(None)
            self.upper.append(None)
        column = self.column_of[words[0]]
        for row, value in zip(words[1::2], words[2::2]):
            if row == self.objective:
                self.cost[column] = float(value)
            elif self.row_of[row] is not None:
                self.entries.append((self.row_of[row], column, float(value)))

    def _rhs(self, words):
        for row, value in _pairs(words):
            if row == self.objective:
                self.offset = -float(value)
            else:
                self.rhs[self.row_of[row]] = float(value)

    def _ranges(self, words):
        for row, value in _pairs(words):
            self.range_of[self.row_of[row]] = float(value)

    def _bounds(self, words):
        kind = words[0].upper()
        takes_value = kind in ("LO", "UP", "FX", "LI", "UI")
        name = words[-2] if takes_value else words[2] if len(words) > 2 else words[1]
        column = self.column_of[name]
        value = float(words[-1]) if takes_value else 0.0
        if kind in ("LI", "UI", "BV"):
            self.types[column] = INTEGER
        if kind in ("LO", "LI", "FX"):
            self.lower[column] = value
        if kind in ("UP", "UI", "FX"):
            self.upper[column] = value
            if value < 0 and self.lower[column] is None:
                self.lower[column] = -inf
        if kind in ("FR", "MI"):
            self.lower[column] = -inf
        if kind in ("FR", "PL"):
            self.upper[column] = inf
        if kind == "BV":
            self.lower[column], self.upper[column] = 0.0, 1.0
        if kind not in ("LO", "UP", "FX", "LI", "UI", "FR", "MI", "PL", "BV"):
            raise ValueError(f"bound type {kind}")

    def _row_bounds(self, row):
        rhs, sense, width = self.rhs.get(row, 0.0), self.sense[row], self.range_of.get(row)
        if sense == "E":
            return (rhs, rhs) if width is None else (min(rhs, rhs + width), max(rhs, rhs + width))
        span = inf if width is None else abs(width)
        return (rhs - span, rhs) if sense == "L" else (rhs, rhs + span)

    def problem(self):
        n, m = len(self.types), len(self.sense)
        self.entries.sort()
        offsets = np.zeros(m + 1, dtype=np.int32)
        for row, _, _ in self.entries:
            offsets[row + 1] += 1
        bounds = [self._row_bounds(row) for row in range(m)]
        # An integer column between markers that has no bounds at all is binary, as cuOpt's reader has it.
        columns = zip(self.types, self.lower, self.upper)
        binary = [kind == INTEGER and low is None and high is None for kind, low, high in columns]
        arrays = {
            "A_values": np.array([value for _, _, value in self.entries], dtype=np.float64),
            "A_indices": np.array([column for _, column, _ in self.entries], dtype=np.int32),
            "A_offsets": np.cumsum(offsets, dtype=np.int32),
            "c": np.array([self.cost.get(column, 0.0) for column in range(n)], dtype=np.float64),
            "variable_lower_bounds": np.array([low or 0.0 for low in self.lower], dtype=np.float64),
            "variable_upper_bounds": np.array(
                [1.0 if b else inf if high is None else high for b, high in zip(binary, self.upper)], dtype=np.float64
            ),
            "constraint_lower_bounds": np.array([low for low, _ in bounds], dtype=np.float64),
            "constraint_upper_bounds": np.array([high for _, high in bounds], dtype=np.float64),
            "variable_types": np.array(self.types, dtype=np.int32),
            "variable_names": list(self.column_of),
            "row_names": [name for name, row in self.row_of.items() if row is not None],
        }
        if not any(width for width in self.range_of.values()):
            arrays["b"] = np.array([low if isinf(high) else high for low, high in bounds], dtype=np.float64)
            arrays["row_types"] = "".join(self.sense).encode("ascii")
        return Problem(
            arrays,
            category="mip" if any(self.types) else "lp",
            maximize=self.maximize,
            objective_offset=self.offset,
            problem_name=self.name,
            objective_name=self.objective or "",
        )


def _pairs(words):
    """(row, value) pairs of an RHS or RANGES line, whose set name may be missing."""
    words = words[len(words) % 2 :]
    return zip(words[0::2], words[1::2])
