"""One training in several processes: each gives the network its share of every batch.

The distribution is Keras's own (`keras.distribution.DataParallel`), which needs the JAX backend.
Every process makes the whole batch and keeps its share, and normalisation and dropout see the
whole batch, so that the weights are those of a training in one process but for rounding. The
first process, the chief, writes everything; the others read its checkpoints.

`components/rank.py` says which process this is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from components.errors import InputError
from components.rank import is_chief, process, processes


def join(batch_size: int) -> None:
    """Meets the other processes; must come before anything is computed.

    Args:
        batch_size: Faces a training batch.

    Raises:
        InputError: If the backend cannot do it, or the batch cannot be shared out evenly.
    """
    if processes() == 1:
        return
    if batch_size % processes():
        raise InputError(
            f"{processes()} processes cannot share out batches of {batch_size} faces evenly; set "
            "train.*.batch_size to a multiple."
        )
    if keras.backend.backend() != "jax":
        raise InputError(
            f"training in {processes()} processes works with JAX and the backend is "
            f"{keras.backend.backend()}; set KERAS_BACKEND to jax."
        )
    import jax

    if not jax.distributed.is_initialized():
        keras.distribution.initialize()


def wait() -> None:
    """Returns when every process has got here."""
    if processes() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("mien")


@contextmanager
def chief_first() -> Iterator[None]:
    """Lets the chief do something alone, and then the others, who find what it wrote."""
    if not is_chief():
        wait()
    yield
    if is_chief():
        wait()


@contextmanager
def spread(model: keras.Model) -> Iterator[keras.Model]:
    """Yields a network that all processes train as one; the same one if there is one process.

    Args:
        model: Has the same weights in every process; it keeps them.
    """
    if processes() == 1:
        yield model
        return
    with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
        replica = keras.models.model_from_json(model.to_json())
        replica.set_weights(model.get_weights())
        yield replica


@contextmanager
def undistributed() -> Iterator[None]:
    """Keeps what Keras makes meanwhile to this process.

    It makes an optimiser whenever it saves weights, to see what that consists of, and would wait
    for the other processes to do so, too.
    """
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def shared(batches: keras.utils.PyDataset) -> keras.utils.PyDataset:
    """Returns this process's share of some batches; they themselves if there is one process."""
    return batches if processes() == 1 else Share(batches)


class Share(keras.utils.PyDataset):
    """This process's share of every batch.

    Where the examples of a batch cannot be shared out evenly, its first one is repeated without
    weight. (Accuracy is not changed by that; Keras divides a batch's loss by its length, so the
    validation loss is lower by less than `processes / batch`.)

    Args:
        batches: Faces, targets and weights, a batch at a time; the same in every process.
    """

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        faces, targets, weights = self.batches[index]
        size = -(-len(faces) // processes())
        own = np.arange(process() * size, (process() + 1) * size)
        there = own < len(faces)
        own = np.where(there, own, 0)
        return faces[own], targets[own], weights[own] * there


class Together(keras.callbacks.Callback):
    """Lets no process begin an epoch before all have seen what the chief wrote of the last."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        wait()


class Backup(keras.callbacks.BackupAndRestore):
    """Lets the chief save, and every process restore."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        with undistributed():
            super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if is_chief():
            with undistributed():
                super().on_epoch_end(epoch, logs)
