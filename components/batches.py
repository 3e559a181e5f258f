"""What a network is fed: shuffled, augmented batches of faces, straight from disk."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from components.augment import augment
from components.data.faces import FaceSet
from components.data.labels import TARGET
from components.data.synthetic import Joined, training_images
from components.mixing import drawn, mix
from components.settings import AugmentSettings, MixSettings


class Batches(keras.utils.PyDataset):
    """Batches of a face set that depend on the seed, the epoch and the position alone.

    All training batches have the same size: the last one is filled up from the beginning of
    the epoch's order.

    An interrupted training that resumes at epoch k therefore sees the faces that it would
    have seen without the interruption.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8, memory-mapped or not, or real and synthetic
            faces joined.
        rows: (M,) indices into `images`; a row may repeat.
        targets: (M, classes) float32 class distributions.
        weights: (M,) float32 sample weights, ones if `None`.
        batch_size: Faces a batch; in evaluation the last one may be smaller.
        augmentation: How to augment and shuffle; `None` for evaluation: neither.
        mixing: How to mix the faces of a training batch with each other, if at all.
        draw: Whether training aims at one label, drawn from a face's target anew each epoch.
        seed: Seed of shuffling, augmentation, mixing and drawing.

    Attributes:
        further: (M, K) float32 distributions that follow the targets of a training batch, such
            as a teacher's answers, or `None`.
    """

    def __init__(
        self,
        images: np.ndarray | Joined,
        rows: np.ndarray,
        targets: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        batch_size: int,
        augmentation: AugmentSettings | None = None,
        mixing: MixSettings | None = None,
        draw: bool = False,
        seed: int = 0,
    ) -> None:
        # One worker alone would bring tf.data's autotuning, which can sleep on for half a minute
        # after an epoch's last batch (`python -m benchmarks.prefetch`). JAX has no need of tf.data,
        # and two would hand it batches that were made before an epoch began.
        super().__init__(workers=2 if keras.backend.backend() == "tensorflow" else 1)
        self.images = images
        self.rows = rows
        self.targets = targets
        self.weights = np.ones(len(rows), np.float32) if weights is None else weights
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.mixing = mixing
        self.draw = draw
        self.seed = seed
        self.further: np.ndarray | None = None
        self.start_epoch(0)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        places = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        if self.augmentation is None:
            places = places[places < len(self._order)]
        chosen = self._order[places % len(self._order)]
        faces, targets = self.images[self.rows[chosen]], self.targets[chosen]
        weights = self.weights[chosen]
        if self.augmentation is None:
            return _with_channels(faces).astype(np.float32), targets, weights
        rng = np.random.default_rng((self.seed, self._epoch, index))
        faces = _with_channels(augment(faces, self.augmentation, rng))
        if self.draw:
            targets = drawn(targets, rng)
        if self.further is not None:
            targets = np.concatenate([targets, self.further[chosen]], axis=1)
        if self.mixing is not None:
            return mix(faces, targets, weights, self.mixing, rng)
        return faces, targets, weights

    def joined(self, rows: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> "Batches":
        """Returns batches of these examples and more of the same faces, without `further`."""
        return Batches(
            self.images,
            np.concatenate([self.rows, rows]),
            np.concatenate([self.targets, targets]),
            weights=np.concatenate([self.weights, weights]),
            batch_size=self.batch_size,
            augmentation=self.augmentation,
            mixing=self.mixing,
            draw=self.draw,
            seed=self.seed,
        )

    def start_epoch(self, epoch: int) -> None:
        """Reshuffles for an epoch; `EpochClock` calls it."""
        self._epoch = epoch
        self._order = np.arange(len(self.rows))
        if self.augmentation is not None:
            np.random.default_rng((self.seed, epoch)).shuffle(self._order)


class EpochClock(keras.callbacks.Callback):
    """Tells the batches and the dropout layers which epoch it is.

    Keras tells the former nothing, least of all on a resume, and saves no checkpoint of the
    latter's random state.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.batches.start_epoch(epoch)
        rng = np.random.default_rng((self.batches.seed, epoch))
        for variable in self.model.variables:
            if variable.path.endswith("seed_generator_state"):
                variable.assign(rng.integers(2**31, size=variable.shape))


def training_batches(
    face_set: FaceSet,
    training: Path,
    classes: int,
    *,
    batch_size: int,
    augmentation: AugmentSettings,
    mixing: MixSettings | None = None,
    draw: bool = False,
    seed: int,
    most: int | None = None,
) -> Batches:
    """Batches of what `balance` chose.

    Args:
        face_set: Written by `ingest`.
        training: Folder written by `balance`.
        classes: Number of classes.
        batch_size: Faces a batch.
        augmentation: How to augment.
        mixing: How to mix, if at all.
        draw: Whether to draw labels from soft targets.
        seed: Seed of all that is random.
        most: If there are more examples, a random sample of so many is used.

    Returns:
        Shuffled, augmented batches of one size; with soft targets, if `clean` made them.
    """
    sample = pd.read_parquet(training / "training.parquet")
    if most is not None and len(sample) > most:
        sample = sample.sample(most, random_state=seed)
    return Batches(
        training_images(face_set.images, training),
        sample["row"].to_numpy(),
        targets_of(sample, classes),
        weights=sample["weight"].to_numpy(np.float32),
        batch_size=batch_size,
        augmentation=augmentation,
        mixing=mixing,
        draw=draw,
        seed=seed,
    )


def evaluation_batches(face_set: FaceSet, table: pd.DataFrame, classes: int) -> Batches:
    """Batches of the faces that a table names, in its order.

    Args:
        face_set: Written by `ingest`.
        table: Columns `row` and `label`, as in `clean`'s `kept.parquet`.
        classes: Number of classes.

    Returns:
        Batches of the faces as they are.
    """
    targets = one_hot(table["label"].to_numpy(), classes)
    return Batches(face_set.images, table["row"].to_numpy(), targets, batch_size=256)


def once_a_face(
    batches: Batches, file: Path, answers: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Returns something of the faces in `batches` that takes long to make, from `file` if there.

    Args:
        batches: N examples; a face that repeats is asked about once.
        file: A `.npy` file to read, or else to write.
        answers: Given (M,) rows of `batches.images`, returns an array of M answers.

    Returns:
        N answers, in the order of `batches.rows`.
    """
    rows, places = np.unique(batches.rows, return_inverse=True)
    if not file.exists():
        fresh = file.with_suffix(".part")
        with fresh.open("wb") as target:
            np.save(target, answers(rows))
        fresh.replace(file)
    return np.load(file)[places]


def _with_channels(faces: np.ndarray) -> np.ndarray:
    return faces[..., None] if faces.ndim == 3 else faces


def targets_of(table: pd.DataFrame, classes: int) -> np.ndarray:
    """Returns what training aims at: soft targets, if `clean` made them, or else the labels.

    Args:
        table: Column `label`, and perhaps the columns `target_…`.
        classes: Number of classes.

    Returns:
        (N, classes) float32 distributions.
    """
    soft = table.filter(regex=f"^{TARGET}").to_numpy(np.float32)
    return soft if soft.size else one_hot(table["label"].to_numpy(), classes)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Returns (N, classes) float32 distributions for (N,) integer labels."""
    return np.eye(classes, dtype=np.float32)[labels]
