"""What a search tries next: Keras Tuner's oracles within a budget of cost, trials and minutes.

An oracle lives in one process, the chief where there are workers. Random search is the article's
own; Hyperband (Li et al., 2018) gives most epochs to what did well with few; Bayesian optimisation
(Snoek et al., 2012) models accuracy with a Gaussian process.
"""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner import oracles
from keras_tuner.engine.trial import TrialStatus

from components.outputs import write_text
from components.settings import SearchSettings

MOST_DRAWS = 500  # before the search gives up on finding a network it can afford
SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of a proposal's hyperparameters that may have to go
RANDOM_SHARE = 1 / 3  # of the trials, before Bayesian optimisation trusts its model

Values = dict[str, Any]
STOPPED = {"status": TrialStatus.STOPPED, "values": None}


class Budgeted(keras_tuner.Oracle):
    """What the three oracles have in common; comes first among an oracle's bases.

    Args:
        affordable: Whether the network of these hyperparameters may be trained.
        minutes: After so many no trial but the first starts; an interrupted search's count too.
        on_end: Called with each trial that succeeded.

    Attributes:
        passed_over: Draws that cost too much.
    """

    def __init__(
        self,
        *,
        affordable: Callable[[Values], bool],
        minutes: float | None,
        on_end: Callable[[Any], None],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.affordable = affordable
        self.minutes = minutes
        self.on_end = on_end
        self.passed_over = 0
        self._started = time.monotonic()

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        spent = self.minutes is not None and self._seconds() >= 60 * self.minutes
        if spent and self.trials:
            return STOPPED
        return super().populate_space(trial_id)

    def _random_values(self) -> Values | None:
        for _ in range(MOST_DRAWS):
            values = super()._random_values()
            if values is None or self.affordable(values):
                return values
            self.passed_over += 1
        return None

    def end_trial(self, trial: Any) -> None:
        super().end_trial(trial)
        self.save()  # Keras Tuner's own copy still has the trial among those to be run again
        ended = self.trials[trial.trial_id]  # a worker's trial comes without the score
        if ended.status == TrialStatus.COMPLETED:
            self.on_end(ended)

    # Keras Tuner writes in place: a kill in the middle would leave half a file.
    def save(self) -> None:
        write_text(Path(self._get_oracle_fname()), json.dumps(self.get_state()))

    def _save_trial(self, trial: Any) -> None:
        folder = Path(self._get_trial_dir(trial.trial_id))
        write_text(folder / "trial.json", json.dumps(trial.get_state()))

    def get_state(self) -> dict[str, Any]:
        own = {"passed_over": self.passed_over, "seconds": self._seconds()}
        return super().get_state() | own

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.passed_over = state["passed_over"]
        self._started = time.monotonic() - state["seconds"]

    def _seconds(self) -> float:
        return time.monotonic() - self._started


class RandomOracle(Budgeted, oracles.RandomSearchOracle):
    """Draws evenly from what the budget allows."""


class HyperbandOracle(Budgeted, oracles.HyperbandOracle):
    """Successive halving over epochs, sweep after sweep until the budget is spent."""


class BayesianOracle(Budgeted, oracles.BayesianOptimizationOracle):
    """Tries where a Gaussian process expects most."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        drawn = super().populate_space(trial_id)
        if drawn["status"] != TrialStatus.RUNNING or self.affordable(drawn["values"]):
            return drawn
        # The process knows nothing of cost: its proposal takes ever more hyperparameters from a
        # random network that the budget allows, until it is one itself.
        goal = self._random_values()
        if goal is None:
            return STOPPED
        names = random.Random(f"{self.seed} {trial_id}").sample(sorted(goal), len(goal))
        for share in SHARES:
            self.passed_over += 1
            taken = {name: goal[name] for name in names[: round(share * len(names))]}
            values = drawn["values"] | taken
            if self.affordable(values):
                break
        return drawn | {"values": values}


def make(
    settings: SearchSettings,
    affordable: Callable[[Values], bool],
    on_end: Callable[[Any], None],
) -> Budgeted:
    """Returns the oracle that `settings.oracle` names.

    Args:
        settings: Kind and budget.
        affordable: Whether the network of these hyperparameters may be trained.
        on_end: Called with each trial that succeeded.
    """
    common = {
        "affordable": affordable,
        "minutes": settings.minutes,
        "on_end": on_end,
        "objective": keras_tuner.Objective("val_accuracy", "max"),
        "max_consecutive_failed_trials": settings.trials + 1,  # never: the search says it itself
        "seed": settings.seed + 1,  # Keras Tuner takes 0 for no seed at all
    }
    if settings.oracle == "hyperband":
        oracle = HyperbandOracle(max_epochs=settings.epochs, hyperband_iterations=None, **common)
        oracle.max_trials = settings.trials  # its constructor takes no such thing
        return oracle
    common["max_trials"] = settings.trials
    if settings.oracle == "bayesian":
        first = max(2, round(RANDOM_SHARE * settings.trials))
        return BayesianOracle(num_initial_points=first, **common)
    return RandomOracle(**common)
