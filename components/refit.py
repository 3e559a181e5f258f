"""Once the epoch is chosen, a network may learn on with most of the validation faces, too.

What validation is for is done by then: it chose the epoch, and the answers from before the refit
are those that `ensemble` fits weights to. The faces it held back are labelled faces like any
others, an eighth more of FER-2013. A refit may change how sure the network is of itself, so that a
share of them stays held back for the temperature. (Goodfellow, Bengio & Courville, "Deep Learning"
(2016), algorithm 7.3, where early stopping is followed by training on all data from the weights
that it chose.)
"""

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from components import parallel
from components.batches import Batches, targets_of
from components.fitting import KEPT, OnEpoch, fit
from components.precision import in_precision
from components.settings import TrainSettings

PHASE = "refit"


def refit(
    model: keras.Model,
    batches: Batches,
    settings: TrainSettings,
    state: Path,
    first: pd.DataFrame,
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Goes on with a network, at its own size, and keeps the last epoch.

    Args:
        model: As it was chosen; changed in place.
        batches: Training and validation faces, as `with_validation` joins them.
        settings: Recipe; `settings.refit` is not `None`.
        state: Folder of the checkpoints.
        first: Curves so far.
        on_epoch: Called after each epoch with its number and its figures.

    Returns:
        `first`, and a line an epoch with `phase` `refit` and nothing of validation.
    """
    recipe = settings.model_copy(
        update={
            "epochs": settings.refit.epochs,
            "learning_rate": settings.refit.learning_rate,
            "schedule": "cosine",
            "warmup_epochs": min(1, settings.refit.epochs - 1),
            "patience": None,
            "sizes": [],
        }
    )
    with parallel.spread(in_precision(model, settings.precision)) as learner:
        curves = fit(learner, batches, None, recipe, state, first, on_epoch)
    parallel.wait()
    model.load_weights(state / KEPT)
    curves.loc[len(first) :, "phase"] = PHASE
    return curves


def to_learn(val: pd.DataFrame, held_back: float) -> pd.DataFrame:
    """Returns the validation faces that a refit learns: neither held back nor copied in the test.

    Two members hold the same faces back, or one of them some more.

    Args:
        val: The validation split of `clean`'s `kept.parquet`.
        held_back: Share of the faces that are not learnt, at least one.
    """
    order = np.random.default_rng(0).permutation(len(val))
    rest = np.sort(order[max(1, round(held_back * len(val))) :])
    return val.iloc[rest].query("not in_test")


def with_validation(batches: Batches, more: pd.DataFrame) -> Batches:
    """Returns training batches that have some validation faces, too.

    A face weighs what the training faces of its class do.

    Args:
        batches: The training faces.
        more: Validation faces, as `to_learn` chooses them.
    """
    own = pd.Series(batches.weights).groupby(batches.targets.argmax(axis=1)).mean()
    weights = more["label"].map(own).fillna(batches.weights.mean())
    return batches.joined(
        rows=more["row"].to_numpy(),
        targets=targets_of(more, batches.targets.shape[1]),
        weights=weights.to_numpy(np.float32),
    )
