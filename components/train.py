"""Train one member of the ensemble, from the last checkpoint if there is one.

Run it as `python -m components train MEMBER`.
"""

import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import pandas as pd

from components.archive import save_model
from components.batches import Batches, EpochClock, evaluation_batches, training_batches
from components.data.faces import FaceSet
from components.errors import InputError
from components.head import fit_head
from components.outputs import replacing
from components.plots import training_curves
from components.recipe import VERBOSITY, compile_model, predict
from components.settings import TrainSettings

OnEpoch = Callable[[int, dict[str, float]], None]


def train(
    architecture: Path,
    faces: Path,
    kept: Path,
    training: Path,
    out: Path,
    settings: TrainSettings,
    *,
    classes: tuple[str, ...],
    checkpoints: Path,
    on_epoch: OnEpoch = lambda epoch, figures: None,
) -> dict[str, float]:
    """Trains a member and predicts the validation and test splits with it.

    With `settings.head` the head is trained first, on what the body as it is makes of the
    faces, and then the whole network. Every epoch is checkpointed. A killed training goes on
    from its last whole epoch and ends with the weights that it would have had without the
    interruption. A checkpoint belongs to one combination of network, settings and data; any
    other ignores it.

    Args:
        architecture: Keras configuration written by `design`.
        faces: Face set written by `ingest`.
        kept: Folder written by `clean`.
        training: Folder written by `balance`.
        out: Folder to write `model.keras`, `predictions.parquet` (row, split, label,
            leaked, and one float32 logit a class) and `curves.csv` and
            `curves.png` (a line an epoch, with its `phase`: `head` or `all`) to.
        settings: Recipe.
        classes: Names of the classes, in label order.
        checkpoints: Folder for checkpoints; removed when the training succeeds.
        on_epoch: Called after each epoch with its number, from 1, and its figures. Epochs
            that a checkpoint spares are reported first.

    Returns:
        `val.accuracy` and `val.loss` of the epoch that was kept, and its number `epoch`.

    Raises:
        InputError: If an input is missing or the loss is no longer finite.
    """
    face_set = FaceSet.open(faces)
    table = pd.read_parquet(kept / "kept.parquet")
    state = checkpoints / _fingerprint(settings, architecture, faces, kept, training)
    state.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(settings.seed)
    plan = architecture.read_text(encoding="utf-8")
    model = keras.models.model_from_json(plan)
    train_batches = training_batches(
        face_set,
        training,
        len(classes),
        batch_size=settings.batch_size,
        augmentation=settings.augment,
        seed=settings.seed,
    )
    validation = table[table["split"] == "val"]
    val_batches = evaluation_batches(face_set, validation, len(classes))
    first = _fit_head_once(model, train_batches, val_batches, settings, state, on_epoch)
    compile_model(
        model,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        steps=settings.epochs * len(train_batches),
        warmup_steps=settings.warmup_epochs * len(train_batches),
        weight_decay=settings.weight_decay,
        label_smoothing=settings.label_smoothing,
    )
    curves = _fit(model, train_batches, val_batches, settings.epochs, state, first, on_epoch)

    best = curves.loc[curves["val_accuracy"].idxmax()]
    model.load_weights(state / f"best_{best['phase']}.weights.h5")
    trained = keras.models.model_from_json(plan)  # without the optimiser, which triples the size
    trained.set_weights(model.get_weights())
    with replacing(out) as folder:
        save_model(trained, folder / "model.keras")
        curves.to_csv(folder / "curves.csv", index=False)
        training_curves(curves, f"Training of {model.name}", folder / "curves.png")
        predictions = _predict(trained, face_set, table, classes)
        predictions.to_parquet(folder / "predictions.parquet", index=False)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return {
        "epoch": float(best["epoch"]),
        "val.accuracy": float(best["val_accuracy"]),
        "val.loss": float(best["val_loss"]),
    }


def _fingerprint(settings: TrainSettings, architecture: Path, *inputs: Path) -> str:
    """Names what a checkpoint belongs to: recipe, network and data."""
    digest = hashlib.blake2b(settings.model_dump_json().encode(), digest_size=8)
    digest.update(architecture.read_bytes())
    for folder in inputs:
        for table in sorted(folder.glob("*.parquet")):
            digest.update(table.read_bytes())
        for array in sorted(folder.glob("*.npy")):  # too large to read again just for this
            digest.update(f"{array.stat().st_size} {array.stat().st_mtime_ns}".encode())
    return digest.hexdigest()


def _fit_head_once(
    model: keras.Model,
    train_batches: Batches,
    val_batches: Batches,
    settings: TrainSettings,
    state: Path,
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Leaves `model` as after its head's training, which a resume need not repeat.

    Returns:
        The head's curves, as `_curves` does.
    """
    if settings.head is None:
        return pd.DataFrame(columns=["epoch", "phase", "val_accuracy"])
    weights, log = state / "best_head.weights.h5", state / "head.csv"
    if log.exists():
        model.load_weights(weights)
        curves = pd.read_csv(log)
        for figures in curves.drop(columns="phase").to_dict("records"):
            on_epoch(int(figures.pop("epoch")), figures)
        return curves
    curves = fit_head(model, train_batches, val_batches, settings, state, on_epoch)
    model.save_weights(weights)
    curves.assign(phase="head").to_csv(log, index=False)
    return pd.read_csv(log)


def _fit(
    model: keras.Model,
    train_batches: Batches,
    val_batches: Batches,
    epochs: int,
    state: Path,
    first: pd.DataFrame,
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Fits all layers from the last checkpoint in `state`.

    Returns:
        The curves of all epochs, after those of the `first` phase.
    """
    past = _curves(state, len(first))
    for figures in past.drop(columns="phase").to_dict("records"):
        on_epoch(int(figures.pop("epoch")), figures)
    best = keras.callbacks.ModelCheckpoint(
        state / "best_all.weights.h5",
        monitor="val_accuracy",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
        initial_value_threshold=past["val_accuracy"].max() if len(past) else None,
    )
    model.fit(
        train_batches,
        validation_data=val_batches,
        epochs=epochs,
        shuffle=False,  # the batches shuffle themselves, as the seed says
        verbose=VERBOSITY,
        callbacks=[
            EpochClock(train_batches),
            StopOnNaN(),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, figures: on_epoch(len(first) + epoch + 1, figures)
            ),
            best,
            keras.callbacks.CSVLogger(state / "curves.csv", append=True),
            # Last, so that an epoch counts as done only when all of the above is written.
            keras.callbacks.BackupAndRestore(
                state / "last", double_checkpoint=True, delete_checkpoint=False
            ),
        ],
    )
    curves = _curves(state, len(first))
    return pd.concat([first, curves], ignore_index=True) if len(first) else curves


def _curves(state: Path, before: int) -> pd.DataFrame:
    """Reads the epochs of the second phase, numbered after those `before` it."""
    log = state / "curves.csv"
    if not log.exists() or log.stat().st_size == 0:
        return pd.DataFrame(columns=["epoch", "phase", "val_accuracy"])
    # An epoch that was killed between this log and its checkpoint was run twice.
    curves = pd.read_csv(log).drop_duplicates("epoch", keep="last")
    curves["epoch"] += before + 1
    return curves.assign(phase="all")


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


def _predict(
    model: keras.Model, face_set: FaceSet, table: pd.DataFrame, classes: tuple[str, ...]
) -> pd.DataFrame:
    """Returns the logits of every validation and test face."""
    held_out = table.loc[table["split"] != "train", ["row", "split", "label", "leaked"]]
    batches = evaluation_batches(face_set, held_out, len(classes))
    logits = pd.DataFrame(predict(model, batches), columns=list(classes))
    return held_out.reset_index(drop=True).join(logits)
