"""What it saves a training to keep the memory that it frees (pipelines/allocation.py).

    python -m benchmarks.allocation [NETWORK] [--size PIXELS]

Trains a network of `components/models` on augmented random faces, in processes with and without
the tunables in turn, and compares the medians of wall and processor time and of page faults.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

from pipelines import allocation

CLASSES, SIDE, BATCH, STEPS, ROUNDS = 7, 48, 64, 10, 3
FIGURES = ("wall", "processor", "faults")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="mien")
    parser.add_argument("--size", type=int, default=40, help="input size in pixels")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        print(json.dumps(train(asked.network, asked.size)))
        return
    plain = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    step = [sys.executable, "-m", "benchmarks.allocation", asked.network, "--alone"]
    step += ["--size", str(asked.size)]
    told = {"as it is": plain, "kept": allocation.environment()}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in told}
    for _ in range(ROUNDS):
        for name, environment in told.items():
            found[name].append(figures(step, environment))
    medians = {
        name: {key: statistics.median(one[key] for one in rounds) for key in FIGURES}
        for name, rounds in found.items()
    }
    for key in FIGURES:
        before, after = (medians[name][key] for name in told)
        print(f"{key}: {before:,.1f} as it is, {after:,.1f} kept; {before / after:.1f} times")


def figures(step: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Runs `train` in a process of its own, which prints what it returns as its last line."""
    done = subprocess.run(step, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def train(network: str, size: int, workers: int | None = None) -> dict[str, float]:
    """Trains two short epochs; returns what the second one took.

    Batches are made by so many workers, or by as many as in a training.
    """
    import numpy as np

    from components import models
    from components.batches import Batches, one_hot
    from components.recipe import compile_model
    from components.settings import AugmentSettings

    model = models.build(network, (SIDE, SIDE, 1), CLASSES, size)
    compile_model(model, optimizer="adamw", learning_rate=1e-3, steps=1000, ema=0.999)
    draw = np.random.default_rng(0)
    count = BATCH * STEPS
    batches = Batches(
        draw.integers(0, 256, (count, SIDE, SIDE), np.uint8),
        np.arange(count),
        one_hot(draw.integers(CLASSES, size=count), CLASSES),
        batch_size=BATCH,
        augmentation=AugmentSettings(
            flip=True, shift=0.1, rotate=10, zoom=0.1, contrast=0.2, brightness=20, erase=0.2
        ),
    )
    if workers is not None:
        batches.workers = workers
    for _ in range(2):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        model.fit(batches, shuffle=False, verbose=0)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return dict(zip(FIGURES, (wall, busy, after.ru_minflt - before.ru_minflt), strict=True))


if __name__ == "__main__":
    main()
