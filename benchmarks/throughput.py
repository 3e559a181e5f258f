"""How much of a training's speed its input pipeline costs.

    python -m benchmarks.throughput [MEMBER]

Trains a member on augmented batches from a memory-mapped file, and on one fixed batch that
lies in memory; the two take turns, and the ratio is that of the medians. On a machine that has
other work to do, look at the ratio of processor times.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from components import models, settings
from components.batches import Batches, EpochClock, one_hot
from components.recipe import compile_model

FACES, CLASSES, ROUNDS = 4096, 7, 5

Spent = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("member", nargs="?", default="mini_xception")
    member = parser.parse_args().member
    params = settings.load(Path("params.yaml"))
    recipe = params.train.members[member]
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, FACES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.npy"
        np.save(path, rng.integers(0, 256, (FACES, 48, 48), np.uint8))
        pipeline = Batches(
            np.load(path, mmap_mode="r"),
            np.arange(FACES),
            one_hot(labels, CLASSES),
            batch_size=recipe.batch_size,
            augmentation=recipe.augment,
        )
        model = models.build(member, (48, 48, 1), CLASSES, params.design[member].input_size)
        compile_model(model, optimizer=recipe.optimizer, learning_rate=1e-3, steps=10_000)
        feeds = {"pipeline": pipeline, "in memory": Fixed(pipeline)}
        spent: dict[str, list[Spent]] = {name: [] for name in feeds}
        for feed in feeds.values():  # traces and warms up
            epoch(model, feed, pipeline)
        for _ in range(ROUNDS):
            for name, feed in feeds.items():
                spent[name].append(epoch(model, feed, pipeline))
    for measure, of in (("wall", 0), ("processor", 1)):
        medians = {name: statistics.median(pair[of] for pair in spent[name]) for name in feeds}
        for name, seconds in medians.items():
            print(f"{name:10} {FACES / seconds:6.0f} images/s of {measure} time")
        print(f"pipeline / in memory = {medians['in memory'] / medians['pipeline']:.2f}")


class Fixed(keras.utils.PyDataset):
    """The first batch of another feed, over and over."""

    def __init__(self, feed: Batches) -> None:
        super().__init__()
        self.batch, self.count = feed[0], len(feed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.batch


def epoch(model: keras.Model, feed: keras.utils.PyDataset, clock: Batches) -> Spent:
    """Returns the seconds of wall time and of processor time that one epoch takes."""
    start, busy = time.perf_counter(), time.process_time()
    model.fit(feed, shuffle=False, verbose=0, callbacks=[EpochClock(clock)])
    return time.perf_counter() - start, time.process_time() - busy


if __name__ == "__main__":
    main()
