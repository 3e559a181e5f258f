"""Look for an architecture: Keras Tuner over the article's random-architecture space.

Run it as `python -m components search`. A killed search goes on with its next trial.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pandas as pd

from components import models
from components.batches import Batches, EpochClock, one_hot
from components.cost import macs
from components.data.faces import FaceSet
from components.data.synthetic import training_images
from components.errors import InputError
from components.models import searched
from components.outputs import replacing
from components.recipe import VERBOSITY, compile_model
from components.settings import AugmentSettings, SearchSettings

# A trial is too short to gain from more than mirrored faces.
AUGMENTATION = AugmentSettings(
    flip=True, shift=0, rotate=0, zoom=0, contrast=0, brightness=0, erase=0
)


@dataclass(frozen=True)
class Trial:
    """What one trial tried and how it went.

    Attributes:
        name: Keras Tuner's name of the trial.
        architecture: What `components.models.searched.build` takes.
        parameters: Of the network.
        mmacs: Millions of multiply-accumulates a face.
        curve: For each epoch its `loss`, `accuracy`, `val_loss` and `val_accuracy`.
    """

    name: str
    architecture: dict[str, Any]
    parameters: int
    mmacs: float
    curve: list[dict[str, float]]


OnTrial = Callable[[Trial], None]


def search(
    faces: Path,
    kept: Path,
    training: Path,
    out: Path,
    settings: SearchSettings,
    *,
    classes: tuple[str, ...],
    checkpoints: Path,
    on_trial: OnTrial = lambda trial: None,
) -> dict[str, float]:
    """Searches for the architecture with the best validation accuracy on a short training.

    Args:
        faces: Face set written by `ingest`.
        kept: Folder written by `clean`.
        training: Folder written by `balance`.
        out: Folder to write `architecture.json` (what `components.models.searched.build`
            takes) and `trials.csv` to.
        settings: Budget.
        classes: Names of the classes, in label order.
        checkpoints: Folder for the tuner's state; removed when the search succeeds.
        on_trial: Called after each finished trial.

    Returns:
        `best.val_accuracy`, `best.parameters`, `best.mmacs`, and the number of `trials`
        that were run and of those `passed_over` for their cost.

    Raises:
        InputError: If an input is missing or every network was too costly.
    """
    face_set = FaceSet.open(faces)
    train_batches, val_batches = _batches(face_set, kept, training, settings, len(classes))
    space = ArticleSpace(face_set.shape, train_batches, val_batches, settings)
    state = checkpoints / _fingerprint(settings, kept, training)
    tuner = ReportingTuner(
        space,
        on_trial,
        objective=keras_tuner.Objective("val_accuracy", "max"),
        max_trials=settings.trials,
        max_consecutive_failed_trials=settings.trials,
        seed=settings.seed,
        directory=state,
        project_name="article",
    )
    tuner.search(verbose=0)

    trials = _ranked(tuner)
    if trials.empty:
        raise InputError(
            f"all {settings.trials} networks cost more than search.max_mmacs "
            f"({settings.max_mmacs}); raise it, or search.trials."
        )
    best = trials.iloc[0]
    architecture = searched.sample(tuner.oracle.get_trial(best["trial"]).hyperparameters)
    with replacing(out) as folder:
        text = json.dumps(architecture, indent=1) + "\n"
        (folder / "architecture.json").write_text(text, encoding="utf-8")
        trials.to_csv(folder / "trials.csv", index=False)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return {
        "best.val_accuracy": float(best["val_accuracy"]),
        "best.parameters": float(best["parameters"]),
        "best.mmacs": float(best["mmacs"]),
        "trials": float(len(trials)),
        "passed_over": float(len(tuner.oracle.trials) - len(trials)),
    }


class ArticleSpace(keras_tuner.HyperModel):
    """Builds and fits what a trial draws from the article's space."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        train_batches: Batches,
        val_batches: Batches,
        settings: SearchSettings,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.train_batches = train_batches
        self.val_batches = val_batches
        self.settings = settings

    def network(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the uncompiled network."""
        return models.build(
            "searched",
            self.shape,
            self.train_batches.targets.shape[1],
            self.settings.input_size,
            architecture=searched.sample(hp),
        )

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        keras.utils.set_random_seed(self.settings.seed)
        model = self.network(hp)
        cost = macs(model) / 1e6
        if cost > self.settings.max_mmacs:
            raise keras_tuner.errors.FailedTrialError(f"{cost:.0f} MMACs: passed over")
        compile_model(
            model,
            optimizer="adamw",
            learning_rate=self.settings.learning_rate,
            steps=self.settings.epochs * len(self.train_batches),
        )
        return model

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        *args: Any,
        callbacks: list[keras.callbacks.Callback],
        **kwargs: Any,
    ) -> keras.callbacks.History:
        return model.fit(
            self.train_batches,
            validation_data=self.val_batches,
            epochs=self.settings.epochs,
            callbacks=[*callbacks, EpochClock(self.train_batches)],
            shuffle=False,  # the batches shuffle themselves, as the seed says
            verbose=VERBOSITY,
        )


class ReportingTuner(keras_tuner.RandomSearch):
    """Random search that tells what each trial did.

    Keras Tuner's own MLflow callback collides with itself from the second trial on.
    """

    def __init__(self, space: ArticleSpace, on_trial: OnTrial, **kwargs: Any) -> None:
        super().__init__(space, **kwargs)
        self.on_trial = on_trial

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> list[keras.callbacks.History]:
        histories = super().run_trial(trial, *args, **kwargs)
        model = self.hypermodel.network(trial.hyperparameters)
        self.on_trial(
            Trial(
                name=trial.trial_id,
                architecture=searched.sample(trial.hyperparameters),
                parameters=model.count_params(),
                mmacs=macs(model) / 1e6,
                curve=pd.DataFrame(histories[0].history).to_dict("records"),
            )
        )
        return histories

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        done = len(self.oracle.trials)
        # The last line of a failed trial's message is the error's own.
        outcome = (trial.message or "").strip().rsplit(": ", 1)[-1]
        if trial.score is not None:
            outcome = f"validation accuracy {trial.score:.3f}"
        print(f"Trial {done} of {self.oracle.max_trials}: {outcome}", flush=True)


def _batches(
    face_set: FaceSet, kept: Path, training: Path, settings: SearchSettings, classes: int
) -> tuple[Batches, Batches]:
    sample = pd.read_parquet(training / "training.parquet")
    if len(sample) > settings.max_images:
        sample = sample.sample(settings.max_images, random_state=settings.seed)
    table = pd.read_parquet(kept / "kept.parquet", columns=["row", "split", "label"])
    validation = table[table["split"] == "val"]
    train_batches = Batches(
        training_images(face_set.images, training),
        sample["row"].to_numpy(),
        one_hot(sample["label"].to_numpy(), classes),
        weights=sample["weight"].to_numpy(np.float32),
        batch_size=settings.batch_size,
        augmentation=AUGMENTATION,
        seed=settings.seed,
    )
    targets = one_hot(validation["label"].to_numpy(), classes)
    rows = validation["row"].to_numpy()
    return train_batches, Batches(face_set.images, rows, targets, batch_size=256)


def _fingerprint(settings: SearchSettings, kept: Path, training: Path) -> str:
    """Names the search whose trials may be reused."""
    digest = hashlib.blake2b(settings.model_dump_json().encode(), digest_size=8)
    for table in (kept / "kept.parquet", training / "training.parquet"):
        digest.update(table.read_bytes())
    return digest.hexdigest()


def _ranked(tuner: ReportingTuner) -> pd.DataFrame:
    """Returns the finished trials, the best first; of equals, the cheapest."""
    rows = []
    for trial in tuner.oracle.trials.values():
        if trial.score is None:
            continue
        model = tuner.hypermodel.network(trial.hyperparameters)
        rows.append(
            {
                "trial": trial.trial_id,
                "val_accuracy": trial.score,
                "parameters": model.count_params(),
                "mmacs": round(macs(model) / 1e6, 3),
                "architecture": json.dumps(searched.sample(trial.hyperparameters)),
            }
        )
    ranked = pd.DataFrame(rows)
    return (
        ranked.sort_values(["val_accuracy", "mmacs"], ascending=[False, True]) if rows else ranked
    )
