"""The running average of the weights: what is validated, and kept.

Polyak & Juditsky, "Acceleration of stochastic approximation by averaging" (1992). The optimiser
keeps the average. It has no batch statistics of its own, and those of the weights as they are do
not fit it: they are made anew, as in Izmailov et al., "Averaging Weights Leads to Wider Optima and
Better Generalization" (2018), arXiv:1803.05407, section 3.2.
"""

from pathlib import Path

import keras
from keras import ops

from components import parallel
from components.batches import Batches

STATISTICS = 50  # training batches that they are made from: with a momentum of 0.9, plenty


class ValidatedAverage(keras.callbacks.Callback):
    """Lets validation see the average, and keeps the weights that it liked best.

    Without an average it sees the weights as they are.

    Args:
        batches: What is learnt from.
        kept: The network whose weights are kept; it shares those of the one that learns.
        file: Where to keep the best weights; `None` for nowhere.
        best: Validation accuracy of those that are there, of earlier epochs.
    """

    def __init__(self, batches: Batches, kept: keras.Model, file: Path | None, best: float) -> None:
        super().__init__()
        self.batches = batches
        self.kept = kept
        self.file = file
        self.best = best

    def on_test_begin(self, logs: dict | None = None) -> None:
        if self.model.optimizer.use_ema:
            self.own = [ops.copy(variable.value) for variable in self.model.variables]
            _take_average(self.model, self.batches)

    def on_test_end(self, logs: dict | None = None) -> None:
        if self.file is not None and logs["accuracy"] > self.best:
            self.best = logs["accuracy"]
            _save(self.kept, self.file)
        if self.model.optimizer.use_ema:
            for variable, value in zip(self.model.variables, self.own, strict=True):
                variable.assign(value)


class LastAverage(keras.callbacks.Callback):
    """Keeps the average of the last epoch, where nothing is held out to choose an epoch by.

    Without an average it keeps the weights as they are.

    Args:
        batches: What is learnt from.
        kept: The network whose weights are kept; it shares those of the one that learns.
        file: Where to keep them.
    """

    def __init__(self, batches: Batches, kept: keras.Model, file: Path) -> None:
        super().__init__()
        self.batches = batches
        self.kept = kept
        self.file = file

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.model.optimizer.use_ema:
            _take_average(self.model, self.batches)
        _save(self.kept, self.file)


def _take_average(model: keras.Model, batches: Batches) -> None:
    """Gives a network the average of its weights, and batch statistics that fit it."""
    averages = model.optimizer._model_variables_moving_average  # as SwapEMAWeights does
    for variable, average in zip(model.trainable_variables, averages, strict=True):
        variable.assign(ops.copy(average.value))  # JAX's step eats what it is given
    for index in range(min(STATISTICS, len(batches))):
        model(batches[index][0], training=True)


def _save(kept: keras.Model, file: Path) -> None:
    if parallel.is_chief():
        with parallel.undistributed():
            kept.save_weights(file)
