"""A space under Keras Tuner: how a trial's network is built, fitted and reported.

`components.search` runs it, in one process or as one of several workers.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pandas as pd

from components import models
from components.batches import Batches, EpochClock
from components.cost import macs
from components.errors import InputError
from components.models import searched
from components.outputs import write_text
from components.recipe import VERBOSITY, compile_model
from components.settings import SearchSettings


@dataclass(frozen=True)
class Trial:
    """What one trial tried and how it went.

    Attributes:
        name: Keras Tuner's name of the trial.
        architecture: What `components.models.searched.build` takes.
        parameters: Of the network.
        mmacs: Millions of multiply-accumulates a face.
        curve: For each epoch its number `epoch`, from 1, `loss`, `accuracy`, `val_loss` and
            `val_accuracy`. A trial that Hyperband promoted begins where its forerunner ended.
    """

    name: str
    architecture: dict[str, Any]
    parameters: int
    mmacs: float
    curve: list[dict[str, float]]

    @property
    def val_accuracy(self) -> float:
        """Of the best epoch."""
        return max(epoch["val_accuracy"] for epoch in self.curve)

    def write(self, reports: Path) -> None:
        """Writes the trial to a folder, which workers and chief share."""
        write_text(reports / f"{self.name}.json", json.dumps(asdict(self)) + "\n")

    @classmethod
    def read(cls, reports: Path, name: str) -> "Trial":
        """Reads what `write` wrote."""
        return cls(**json.loads((reports / f"{name}.json").read_text(encoding="utf-8")))


OnTrial = Callable[[Trial], None]


class Space(keras_tuner.HyperModel):
    """Builds and fits what a trial draws from the article's space or the wide one."""

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

    def architecture(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Returns what `components.models.searched.build` takes."""
        return searched.sample(hp, self.settings.space)

    def network(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the uncompiled network."""
        return models.build(
            "searched",
            self.shape,
            self.train_batches.targets.shape[1],
            self.settings.input_size,
            architecture=self.architecture(hp),
        )

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        self.architecture(hp)

    def affordable(self, values: dict[str, Any]) -> bool:
        """Whether the network of these hyperparameters costs at most `max_mmacs`."""
        hp = keras_tuner.HyperParameters()
        hp.values = dict(values)
        return macs(self.network(hp)) / 1e6 <= self.settings.max_mmacs

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        keras.utils.set_random_seed(self.settings.seed)
        model = self.network(hp)
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
        # Hyperband says from which epoch to which; the schedule is that of a whole training.
        first = hp.values.get("tuner/initial_epoch", 0)
        model.optimizer.iterations.assign(first * len(self.train_batches))
        return model.fit(
            self.train_batches,
            validation_data=self.val_batches,
            initial_epoch=first,
            epochs=hp.values.get("tuner/epochs", self.settings.epochs),
            callbacks=[*callbacks, EpochClock(self.train_batches)],
            shuffle=False,  # the batches shuffle themselves, as the seed says
            verbose=VERBOSITY,
        )


class ReportingTuner(keras_tuner.Tuner):
    """A tuner that writes down what each trial did.

    Keras Tuner's own MLflow callback collides with itself from the second trial on.
    """

    def __init__(self, space: Space, reports: Path, **kwargs: Any) -> None:
        super().__init__(hypermodel=space, **kwargs)
        self.reports = reports

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> list[keras.callbacks.History]:
        histories = super().run_trial(trial, *args, **kwargs)
        model = self.hypermodel.network(trial.hyperparameters)
        curve = pd.DataFrame(histories[0].history)
        curve.insert(0, "epoch", [epoch + 1 for epoch in histories[0].epoch])
        self.report = Trial(
            name=trial.trial_id,
            architecture=self.hypermodel.architecture(trial.hyperparameters),
            parameters=model.count_params(),
            mmacs=macs(model) / 1e6,
            curve=curve.to_dict("records"),
        )
        self.report.write(self.reports)
        return histories

    def save(self) -> None:  # whole or not at all, as the oracle's
        if not self._is_worker():
            self.oracle.save()
        write_text(Path(self._get_tuner_fname()), json.dumps(self.get_state()))

    def on_search_begin(self) -> None:
        self.save()  # so that even a first trial that is killed is known

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        if trial.message:  # of which the last line is the error's own
            outcome = trial.message.strip().rsplit(": ", 1)[-1]
        else:
            outcome = f"validation accuracy {self.report.val_accuracy:.3f}"
        number = int(trial.trial_id) + 1
        print(f"Trial {number} of {self.oracle.max_trials}: {outcome}", flush=True)

    def reload(self) -> None:
        try:
            super().reload()
            if not self._is_worker():
                self._check_space()
        except (ValueError, KeyError, RuntimeError) as error:
            raise InputError(
                f"{self.project_dir} does not hold the state of this search ({error}); remove it "
                "to start over."
            ) from error

    def _check_space(self) -> None:
        """Refuses trials of another space, whose values would mean nothing here."""
        own = keras_tuner.HyperParameters()
        self.hypermodel.declare_hyperparameters(own)
        kept = {entry.name for entry in self.oracle.get_space().space}
        if kept - {entry.name for entry in own.space}:
            raise ValueError("its trials are of another space")

    def _build_hypermodel(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        model = super()._build_hypermodel(hp)
        if "tuner/trial_id" in hp.values:  # promoted by Hyperband: goes on with its weights
            model.load_weights(self._get_checkpoint_fname(hp.values["tuner/trial_id"]))
        return model

    def _get_tuner_fname(self) -> str:
        # By process alone, so that workers may take up what one process has begun, and back.
        name = self.tuner_id if self._is_worker() else "search"
        return str(Path(self.project_dir) / f"{name}.json")
