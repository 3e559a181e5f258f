"""What it saves a training to have its batches made by two workers.

    python -m benchmarks.prefetch [NETWORK] [--size PIXELS]

Keras lets tf.data fetch ahead for a `PyDataset` of one worker, with autotuning, whose thread sleeps
for twice as long each time; on one core an epoch's end may have to wait until it wakes. Trains a
network of `components/models` on one core, in processes with one and with two workers in turn, and
says how long an epoch takes beside its processor time.
"""

import argparse
import json
import os
import statistics
import sys

from benchmarks.allocation import figures, train
from pipelines import allocation

ROUNDS = 3
ONE_CORE = {
    name: "1" for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="mien")
    parser.add_argument("--size", type=int, default=32, help="input size in pixels")
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.workers:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(train(asked.network, asked.size, workers=asked.workers)))
        return
    step = [sys.executable, "-m", "benchmarks.prefetch", asked.network, "--size", str(asked.size)]
    environment = allocation.environment() | ONE_CORE
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, ratios in found.items():
            took = figures([*step, "--workers", str(workers)], environment)
            ratios.append(took["wall"] / took["processor"])
    for workers, ratios in found.items():
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        median = statistics.median(ratios)
        print(f"{workers} workers: {median:.2f} times as long as the processor was busy ({each})")


if __name__ == "__main__":
    main()
