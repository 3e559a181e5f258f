"""The article's space under Keras Tuner: what a trial draws, how it is fitted and told.

`components.search` runs it. The article draws at random and takes what comes; here a draw that
costs more than the budget allows is thrown back before anything is trained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import keras_tuner
import pandas as pd
from keras_tuner.engine.trial import TrialStatus

from components import models
from components.batches import Batches, EpochClock
from components.cost import macs
from components.models import searched
from components.recipe import VERBOSITY, compile_model
from components.settings import SearchSettings

MOST_DRAWS = 500  # before the search gives up on finding a network it can afford


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

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        searched.sample(hp)

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
        return model.fit(
            self.train_batches,
            validation_data=self.val_batches,
            epochs=self.settings.epochs,
            callbacks=[*callbacks, EpochClock(self.train_batches)],
            shuffle=False,  # the batches shuffle themselves, as the seed says
            verbose=VERBOSITY,
        )


class AffordableRandomOracle(keras_tuner.oracles.RandomSearchOracle):
    """Random search among the networks that a budget allows.

    Attributes:
        passed_over: Draws that cost too much.
    """

    def __init__(self, affordable: Callable[[dict[str, Any]], bool], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.affordable = affordable
        self.passed_over = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        for _ in range(MOST_DRAWS):
            drawn = super().populate_space(trial_id)
            if drawn["status"] != TrialStatus.RUNNING or self.affordable(drawn["values"]):
                return drawn
            self.passed_over += 1
        return {"status": TrialStatus.STOPPED, "values": None}

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"passed_over": self.passed_over}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.passed_over = state["passed_over"]


class ReportingTuner(keras_tuner.Tuner):
    """A tuner that tells what each trial did.

    Keras Tuner's own MLflow callback collides with itself from the second trial on.
    """

    def __init__(self, space: ArticleSpace, on_trial: OnTrial, **kwargs: Any) -> None:
        super().__init__(hypermodel=space, **kwargs)
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
        # The last line of a failed trial's message is the error's own.
        outcome = (trial.message or "").strip().rsplit(": ", 1)[-1]
        if trial.score is not None:
            outcome = f"validation accuracy {trial.score:.3f}"
        done, most = len(self.oracle.trials), self.oracle.max_trials
        print(f"Trial {done} of {most}: {outcome}", flush=True)
