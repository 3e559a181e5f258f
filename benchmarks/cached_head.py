"""What it saves to compute the frozen body's features once (`train.*.head`).

    python -m benchmarks.cached_head [MEMBER] [--faces N] [--epochs E] [--size PIXELS]
                                     [--oversampled]

Trains the head of a member twice from the same start, on cached features and through the
frozen body, and compares the times and the weights. The cache has a face once, however often it was
drawn to make the classes even.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from components import models, settings
from components.batches import Batches, one_hot
from components.head import fit_head
from components.recipe import compile_model, cross_entropy
from components.settings import HeadSettings, TrainSettings

CLASSES = 7
# Rows a face, once each of seven classes has the 7,215 of the largest of FER-2013's 28,709.
OVERSAMPLED = 7 * 7215 / 28709


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("member", nargs="?", default="vggface")
    parser.add_argument("--faces", type=int, default=1024, help="training faces")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--size", type=int, help="input size, instead of the member's")
    parser.add_argument(
        "--oversampled", action="store_true", help="faces repeat as in FER-2013 with even classes"
    )
    asked = parser.parse_args()
    params = settings.load(Path("params.yaml"))
    head = HeadSettings(epochs=asked.epochs, learning_rate=1e-3)
    recipe = params.train.members[asked.member].model_copy(update={"head": head})
    keras.utils.set_random_seed(0)
    size = asked.size or params.design[asked.member].input_size
    # Dropout's seeds differ between two models; without it the weights can be compared.
    model = models.build(asked.member, (48, 48, 1), CLASSES, size, dropout=0.0)
    twin = keras.models.clone_model(model)
    start_weights = model.get_weights()
    twin.set_weights(start_weights)
    repeated = OVERSAMPLED if asked.oversampled else 1.0
    train, val = faces(asked.faces, 0, recipe, repeated), faces(asked.faces // 8, 1, recipe)

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        keras.utils.set_random_seed(0)
        fit_head(model, train, val, recipe, Path(folder), lambda *_: None)
    cached = time.perf_counter() - start

    start = time.perf_counter()
    keras.utils.set_random_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        fit_through_the_body(twin, train, val, recipe, Path(folder) / "best.weights.h5")
    frozen = time.perf_counter() - start

    print(f"cached features  {cached:7.1f} s")
    print(f"frozen body      {frozen:7.1f} s")
    print(f"frozen / cached = {frozen / cached:.1f}")
    trained = model.get_weights()
    print(f"largest step of a weight in training: {largest(trained, start_weights):.1e}")
    print(f"largest difference between the two:   {largest(trained, twin.get_weights()):.1e}")


def largest(weights: list[np.ndarray], others: list[np.ndarray]) -> float:
    """Returns the largest absolute difference between two networks' weights."""
    return max(np.abs(a - b).max() for a, b in zip(weights, others, strict=True))


def faces(count: int, seed: int, recipe: TrainSettings, repeated: float = 1.0) -> Batches:
    """Returns `count` random faces, which have `repeated` rows each on average."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 48, 48), np.uint8)
    rows = np.resize(np.arange(count), round(repeated * count))
    return Batches(
        images,
        rows,
        one_hot(rng.integers(0, CLASSES, count)[rows], CLASSES),
        batch_size=recipe.batch_size,
    )


def fit_through_the_body(
    model: keras.Model, train: Batches, val: Batches, recipe: TrainSettings, best: Path
) -> None:
    """What a training of the head costs without the cache; leaves its best epoch, as that does."""
    names = [layer.name for layer in model.layers]
    for layer in model.layers[: names.index(models.FEATURES) + 1]:
        layer.trainable = False
    compile_model(
        model,
        optimizer=recipe.optimizer,
        learning_rate=recipe.head.learning_rate,
        steps=recipe.head.epochs * len(train),
        weight_decay=recipe.weight_decay,
        loss=cross_entropy(recipe.label_smoothing),
    )
    model.fit(
        train.images[train.rows][..., None].astype(np.float32),
        train.targets,
        sample_weight=train.weights,
        batch_size=recipe.batch_size,
        epochs=recipe.head.epochs,
        validation_data=(val.images[..., None].astype(np.float32), val.targets),
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(
                best,
                monitor="val_accuracy",
                mode="max",
                save_best_only=True,
                save_weights_only=True,
            )
        ],
    )
    model.load_weights(best)


if __name__ == "__main__":
    main()
