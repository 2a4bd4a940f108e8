# Writes the fixtures of this folder with NumPy and SciPy; run from this folder.
import json
import struct

import numpy as np
from scipy.io import savemat

cube = (np.arange(24).reshape(2, 3, 4) - 5).astype(np.int16)
np.savez("stored.npz", cube=cube, mask=(cube[..., 0] > 0))
np.savez_compressed("deflated.npz", cube=np.asfortranarray(cube), mask=(cube[..., 0] > 0))
everything = {
    "int16": cube, "double": cube.astype(np.float64) / 4, "single": cube.astype(np.float32), "uint8": (cube + 5).astype(np.uint8),
    "int64": cube.astype(np.int64) * 2**40, "uint64": (cube.astype(np.uint64) & 0xFF), "uint16": (cube + 5).astype(np.uint16),
    "int8": cube.astype(np.int8), "int32": cube.astype(np.int32), "uint32": (cube + 5).astype(np.uint32),
    "flag": cube > 3, "scalar": np.uint8(7), "text": "hello", "record": {"a": 1}, "cells": np.array([1, "x"], dtype=object),
    "wave": cube.astype(np.complex128),
}
savemat("plain.mat", everything)
savemat("compressed.mat", everything, do_compression=True)
savemat("version4.mat", {"a": np.eye(2)}, format="4")


def matrix(order, name, dims, stored_type, payload, klass, flags=0):
    def element(kind, data):
        return struct.pack(order + "II", kind, len(data)) + data + b"\0" * (-len(data) % 8)

    def small(kind, data):
        return struct.pack(order + "I", len(data) << 16 | kind) + data + b"\0" * (4 - len(data))

    body = element(6, struct.pack(order + "II", flags << 8 | klass, 0)) + element(5, struct.pack(f"{order}{len(dims)}i", *dims))
    body += small(1, name) if len(name) <= 4 else element(1, name)
    body += small(stored_type, payload) if len(payload) <= 4 else element(stored_type, payload)
    return struct.pack(order + "II", 14, len(body)) + body


# Big-endian, as MATLAB wrote on other machines; a double array stored as bytes, as MATLAB does for small integers.
values = np.arange(24).reshape(2, 3, 4)
with open("big.mat", "wb") as f:
    f.write(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x0100) + b"MI")
    f.write(matrix(">", b"d", values.shape, 2, values.astype(np.uint8).tobytes(order="F"), 6))
    f.write(matrix(">", b"float", values.shape, 9, values.astype(">f8").tobytes(order="F"), 6))
    f.write(matrix(">", b"one", (1, 2), 4, np.array([1, 258], dtype=">u2").tobytes(), 11))

try:
    from pycocotools import mask

    rng = np.random.default_rng(7)
    areas = (rng.random((9, 300)) > 0.5).repeat(3, axis=1).astype(np.uint8)
    packed = mask.encode(np.asfortranarray(areas))
    with open("packed_runs.json", "w") as f:
        json.dump({"counts": packed["counts"].decode(), "rows": ["".join(map(str, row)) for row in areas.tolist()]}, f, indent=1)
        f.write("\n")
    polygons = [[round(float(v), 2) for v in rng.uniform(-2, 18, 2 * rng.integers(3, 7))] for _ in range(12)]
    polygons += [[2, 2, 9, 2, 9, 9, 2, 9], [0.5, 0.5, 15.5, 0.5, 8, 15.5], [0, 0, 16, 16, 16, 0, 0, 16]]
    with open("polygons.json", "w") as f:
        rows = [mask.decode(mask.frPyObjects([p], 16, 16))[..., 0].tolist() for p in polygons]
        cases = [{"polygon": p, "rows": ["".join(map(str, r)) for r in m]} for p, m in zip(polygons, rows)]
        f.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
except ImportError:
    print("without pycocotools the packed runs stay as they are")
