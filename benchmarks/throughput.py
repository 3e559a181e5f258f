"""How much of a training's speed its input pipeline costs, and what `mixed_bfloat16` gives.

    python -m benchmarks.throughput [NETWORK ...]

Trains each network (all of `components/models`, if none is named) in turn on augmented batches
from a memory-mapped file, and on one fixed batch that lies in memory: in float32, in bfloat16 with
batch normalisation in one pass, as trainings have it, and in bfloat16 with Keras' own. The ratios
are those of the medians. On a machine that has other work to do, look at those of processor times.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import keras
import keras_tuner
import numpy as np

from components import fused, models, settings
from components.batches import Batches, EpochClock, one_hot
from components.models import searched
from components.precision import in_precision
from components.recipe import compile_model

CLASSES, ROUNDS, SIDE = 7, 5, 48
SECONDS = 3  # that an epoch takes at least, if it can with so many faces or fewer:
FACES = 4096
COMPARED = ("pipeline", "bfloat16", "Keras' own normalisation")

Spent = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(models.names()))
    asked = parser.parse_args()
    heads = [f"{way}, {of}" for way in COMPARED for of in ("wall", "processor")]
    print(" | ".join(["| network", "in memory, faces/s", *heads, ""]))
    print("|---" * (2 + len(heads)) + "|")
    for name in asked.networks or models.names():
        keras.utils.clear_session()
        print(f"| {name} | {row(name)} |", flush=True)


def row(name: str) -> str:
    """Returns the rate of faces in memory, and the shares of it that the others have."""
    options = {}
    if name == "searched":
        options["architecture"] = searched.sample(keras_tuner.HyperParameters())
    size = max(SIDE, models.smallest_input(name))
    network = models.build(name, (SIDE, SIDE, 1), CLASSES, size, **options)
    rounded = in_precision(network, "mixed_bfloat16")
    unfused = with_keras_normalisation(rounded)
    recipe = settings.load(Path("params.yaml")).train.common
    for learner in (network, rounded, unfused):
        compile_model(learner, optimizer=recipe.optimizer, learning_rate=1e-3, steps=10_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.npy"
        np.save(path, np.random.default_rng(0).integers(0, 256, (FACES, SIDE, SIDE), np.uint8))
        batches = feed(path, FACES, recipe)
        two = Fixed(batches, 2)
        epoch(network, two, batches)  # traces
        seconds, _ = epoch(network, two, batches)
        faces = min(FACES, max(4, round(SECONDS / seconds * len(two))) * recipe.batch_size)
        batches = feed(path, faces, recipe)
        fixed = Fixed(batches, len(batches))
        compared = dict(
            zip(COMPARED, [(network, batches), (rounded, fixed), (unfused, fixed)], strict=True)
        )
        wall, busy = medians({"memory": (network, fixed)} | compared, batches)
    shares = [f"{of['memory'] / of[way]:.2f}" for way in COMPARED for of in (wall, busy)]
    return " | ".join([f"{faces / wall['memory']:.0f}", *shares])


def with_keras_normalisation(model: keras.Model) -> keras.Model:
    """Returns a copy of a network whose batch normalisation is Keras' own."""

    def own(layer: keras.Layer) -> keras.Layer:
        fits = isinstance(layer, fused.BatchNormalization)
        kind = keras.layers.BatchNormalization if fits else type(layer)
        return kind.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=own, recursive=True)


def medians(
    ways: dict[str, tuple[keras.Model, keras.utils.PyDataset]], clock: Batches
) -> tuple[dict[str, float], dict[str, float]]:
    """Lets the ways of training take turns; returns each one's median wall and processor time."""
    spent: dict[str, list[Spent]] = {way: [] for way in ways}
    for turn in range(ROUNDS + 1):
        for way, (learner, source) in ways.items():
            taken = epoch(learner, source, clock)
            if turn:  # the first one warms up
                spent[way].append(taken)
    wall, busy = (
        {way: statistics.median(pair[of] for pair in pairs) for way, pairs in spent.items()}
        for of in (0, 1)
    )
    return wall, busy


def feed(path: Path, faces: int, recipe: settings.TrainSettings) -> Batches:
    """Returns augmented batches of that many faces of a memory-mapped file."""
    labels = np.random.default_rng(1).integers(0, CLASSES, faces)
    return Batches(
        np.load(path, mmap_mode="r"),
        np.arange(faces),
        one_hot(labels, CLASSES),
        batch_size=recipe.batch_size,
        augmentation=recipe.augment,
    )


class Fixed(keras.utils.PyDataset):
    """The first batch of another feed, over and over."""

    def __init__(self, source: Batches, count: int) -> None:
        super().__init__()
        self.batch, self.count = source[0], count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.batch


def epoch(model: keras.Model, source: keras.utils.PyDataset, clock: Batches) -> Spent:
    """Returns the seconds of wall time and of processor time that one epoch takes."""
    start, busy = time.perf_counter(), time.process_time()
    model.fit(source, shuffle=False, verbose=0, callbacks=[EpochClock(clock)])
    return time.perf_counter() - start, time.process_time() - busy


if __name__ == "__main__":
    main()
