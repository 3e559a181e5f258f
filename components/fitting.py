"""Phase two of fine-tuning, or all of a training from scratch: every layer learns.

Every epoch is checkpointed. What decides how the next epoch goes (learning rate, whether there
is one) is worked out from the curves on disk, so that it is the same after an interruption.
"""

import math
from collections.abc import Callable
from pathlib import Path

import keras
import pandas as pd

from components import parallel, second_task, sizes
from components.averaging import LastAverage, ValidatedAverage
from components.batches import Batches, EpochClock
from components.distillation import DistillationLoss
from components.errors import InputError
from components.recipe import VERBOSITY, compile_model, cross_entropy
from components.settings import TrainSettings
from components.sharpness import SharpnessAware

OnEpoch = Callable[[int, dict[str, float]], None]

KEPT = f"best_{sizes.WHOLE}.weights.h5"  # of this phase, in the folder of the checkpoints

PLATEAU = 3  # epochs without a lower validation loss, after which the learning rate falls ...
FALL = 0.1  # ... to this share


def fit(
    model: keras.Model,
    train_batches: Batches,
    val_batches: Batches | None,
    settings: TrainSettings,
    state: Path,
    first: pd.DataFrame,
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Fits all layers, from the last checkpoint in `state` if there is one.

    Args:
        model: Uncompiled; afterwards it has the weights of the last epoch. Those of the best
            one at its own size are in `state`, as `KEPT`.
        train_batches: What to learn from.
        val_batches: What to choose the epoch by; without them the last one is kept.
        settings: Recipe.
        state: Folder of the checkpoints.
        first: Curves of an earlier phase, which the epochs are counted on from.
        on_epoch: Called after each epoch with its number and its figures; first for those
            that a checkpoint spares.

    Returns:
        The curves of all epochs, `first` and these: `epoch`, `phase`, `accuracy`, `loss`, and
        with validation `val_accuracy`, `val_loss`.

    Raises:
        InputError: If the loss is no longer finite.
    """
    before = 0 if first.empty else int(first["epoch"].iloc[-1])
    past = curves(state, settings, before)
    for figures in past.drop(columns="phase").to_dict("records"):
        on_epoch(int(figures.pop("epoch")), figures)
    whole = model if settings.votes is None else second_task.with_head(model)
    for end, size in sizes.ends(settings).items():
        if settings.patience is not None and exhausted(past, settings.patience):
            break
        learner = sizes.resized(whole, size)
        if settings.sam is not None:
            learner = SharpnessAware(learner.inputs, learner.outputs, radius=settings.sam)
        _compile(learner, settings, train_batches)
        report = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, figures: on_epoch(before + epoch + 1, figures)
        )
        file = state / KEPT
        if val_batches is None:
            average = LastAverage(train_batches, model, file)
        else:
            best = highest(past)
            average = ValidatedAverage(train_batches, model, None if size else file, best)
        callbacks = [EpochClock(train_batches), average, *_callbacks(report, state, settings)]
        parallel.wait()  # what the chief wrote in the stage before is whole
        learner.fit(
            parallel.shared(train_batches),
            validation_data=None if val_batches is None else parallel.shared(val_batches),
            epochs=end,
            shuffle=False,  # the batches shuffle themselves, as the seed says
            verbose=VERBOSITY if parallel.is_chief() else 0,
            callbacks=callbacks,
        )
    own = curves(state, settings, before)
    return pd.concat([first, own], ignore_index=True) if len(first) else own


def _callbacks(
    report: keras.callbacks.Callback, state: Path, settings: TrainSettings
) -> list[keras.callbacks.Callback]:
    rate = [FallingRate(state, settings)] if settings.schedule == "plateau" else []
    stop = [Patience(state, settings)] if settings.patience is not None else []
    log = keras.callbacks.CSVLogger(state / "curves.csv", append=True)
    return [
        *rate,
        StopOnNaN(),
        *([report, log] if parallel.is_chief() else []),
        # Behind all that writes, so that an epoch counts as done only when everything is written.
        # Every stage begins with what it restores, and so goes on from the one before.
        parallel.Backup(state / "last", double_checkpoint=True, delete_checkpoint=False),
        parallel.Together(),
        *stop,
    ]


def _compile(learner: keras.Model, settings: TrainSettings, batches: Batches) -> None:
    loss = cross_entropy(settings.label_smoothing)
    if settings.distil is not None:
        loss = DistillationLoss(settings.distil, own=loss)
    if settings.votes is not None:
        loss = second_task.WithVotes(loss, settings.votes)
    compile_model(
        learner,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        steps=None if settings.schedule == "plateau" else settings.epochs * len(batches),
        warmup_steps=settings.warmup_epochs * len(batches),
        weight_decay=settings.weight_decay,
        ema=settings.ema,
        loss=loss,
        classes=batches.targets.shape[1],
    )


def curves(state: Path, settings: TrainSettings, before: int = 0) -> pd.DataFrame:
    """Reads the finished epochs of this phase, numbered after those `before` it."""
    log = state / "curves.csv"
    if not log.exists() or log.stat().st_size == 0:
        return pd.DataFrame(columns=["epoch", "phase", "val_accuracy", "val_loss"])
    # An epoch that was killed between this log and its checkpoint was run twice.
    table = pd.read_csv(log).drop_duplicates("epoch", keep="last")
    table["phase"] = [sizes.phase(epoch, settings) for epoch in table["epoch"]]
    table["epoch"] += before + 1
    return table


def fallen(past: pd.DataFrame) -> float:
    """Returns the factor on the learning rate after the epochs in `past`.

    It falls whenever `PLATEAU` epochs in a row had no lower validation loss than the best
    before them.
    """
    factor, best, waited = 1.0, math.inf, 0
    for loss in past["val_loss"]:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == PLATEAU:
            factor, waited = factor * FALL, 0
    return factor


def highest(past: pd.DataFrame) -> float:
    """Returns the best validation accuracy so far at the network's own size."""
    return max(past.loc[past["phase"] == sizes.WHOLE, "val_accuracy"], default=-math.inf)


def exhausted(past: pd.DataFrame, patience: int) -> bool:
    """Returns whether the last `patience` epochs had no better accuracy than those before.

    Those at a smaller input size do not count.
    """
    own = past.loc[past["phase"] == sizes.WHOLE, "val_accuracy"]
    return len(own) > patience and len(own) - 1 - own.argmax() >= patience


class FallingRate(keras.callbacks.LearningRateScheduler):
    """Lowers the learning rate on a plateau."""

    def __init__(self, state: Path, settings: TrainSettings) -> None:
        super().__init__(
            lambda epoch, _: settings.learning_rate * fallen(curves(state, settings).head(epoch))
        )


class Patience(keras.callbacks.Callback):
    """Stops early."""

    def __init__(self, state: Path, settings: TrainSettings) -> None:
        super().__init__()
        self.state, self.settings = state, settings

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if exhausted(curves(self.state, self.settings), self.settings.patience):
            self.model.stop_training = True


class StopOnNaN(keras.callbacks.Callback):
    """Ends a training whose loss is no longer a number before it spoils the checkpoint."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not math.isfinite(logs["loss"]):
            raise InputError(
                f"the loss became {logs['loss']} in epoch {self.epoch}, batch {batch + 1}; lower "
                "learning_rate (the checkpoint of the last whole epoch is kept)."
            )
