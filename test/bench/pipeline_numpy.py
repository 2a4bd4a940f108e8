"""The baseline of the pipeline benches: the same formulas in numpy, on the same numbers.

Reads tasks as lines of JSON from standard input and answers each with a line; see pipeline-process.ts. The thread counts of
the BLAS come from the environment.
"""
import json
import resource
import sys
import time

import numpy as np


def blas():
    """The library that products of matrices really run in."""
    np.ones((8, 8), np.float32) @ np.ones((8, 8), np.float32)
    with open("/proc/self/maps") as maps:
        names = {line.split("/")[-1].strip() for line in maps if "blas" in line.split("/")[-1]}
    return {"numpy": np.__version__, "openblas": any("openblas" in name for name in names)}


def cube_of(shape):
    """float32 0..1 from positions: each is mixed into 24 bits that look random; see pipeline-process.ts."""
    count = int(np.prod(shape))
    cube = np.empty(count, np.float32)
    step = 1 << 22
    for start in range(0, count, step):
        x = np.arange(start, min(start + step, count), dtype=np.uint32)
        x *= np.uint32(2654435761)
        x ^= x >> np.uint32(15)
        x *= np.uint32(2246822519)
        x ^= x >> np.uint32(13)
        cube[start : start + step] = (x >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
    return cube.reshape(shape)


def model_of(bands):
    """A mean and the inverse of a covariance: 0.5, and 0.5^|i - j| with 2 more on the diagonal."""
    i = np.arange(bands)
    inverse = 0.5 ** np.abs(i[:, None] - i[None, :]) + 2 * np.eye(bands)
    return np.full(bands, 0.5, np.float32), inverse.astype(np.float32)


def score(cube, mean, inverse):
    """Squared Mahalanobis distance of every pixel, in float32."""
    d = cube.reshape(-1, cube.shape[-1]) - mean
    return np.einsum("ij,ij->i", d @ inverse, d)


def fit(cube):
    """One minimum and maximum; mean and covariance of the scaled pixels in float64; its pseudo-inverse in float32."""
    low, high = cube.min(), cube.max()
    x = ((cube.reshape(-1, cube.shape[-1]) - low) / (high - low)).astype(np.float64)
    mean = x.mean(axis=0)
    x -= mean
    covariance = (x.T @ x / (len(x) - 1)).astype(np.float32)
    covariance[np.diag_indices_from(covariance)] += np.float32(1e-6)
    inverse = np.linalg.pinv(covariance, hermitian=True)
    return low, high, mean, covariance, inverse


def timed(task):
    used = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    result = task()
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return result, {"seconds": seconds, "cpuSeconds": cpu}


def main():
    cube = np.empty(0)
    for line in sys.stdin:
        task = json.loads(line)
        answer = {}
        if task["do"] == "about":
            answer = blas()
        elif task["do"] == "make":
            cube = cube_of(task["shape"])
        elif task["do"] == "score":
            mean, inverse = model_of(cube.shape[-1])
            scores, answer = timed(lambda: score(cube, mean, inverse))
            answer.update(check=[float(scores.sum(dtype=np.float64)), float(scores.max())])
        elif task["do"] == "fit":
            (low, high, mean, covariance, inverse), answer = timed(lambda: fit(cube))
            parts = [low, high, mean.sum(), np.trace(covariance), np.trace(inverse)]
            answer.update(check=[float(part) for part in parts])
        print(json.dumps(answer), flush=True)


main()
