"""SAM: steps that look for flat minima.

P. Foret, A. Kleiner, H. Mobahi & B. Neyshabur, "Sharpness-Aware Minimization for Efficiently
Improving Generalization" (2021), arXiv:2010.01412, algorithm 1. A step costs two.
"""

from typing import Any

import keras

from components.errors import InputError


class SharpnessAware(keras.Model):
    """A functional model whose step is that of SAM; it shares the layers it is made of.

    The gradient is taken where the loss is highest nearby, to first order, and applied where the
    weights are. Both passes draw the same dropout masks, and batch normalisation's running
    statistics come from the first one alone. Keras has no way to take gradients that all its
    backends share, so this one is TensorFlow's.

    Args:
        inputs: Of the functional model.
        outputs: Of the functional model.
        radius: How far "nearby" reaches, as the norm of the step over all weights (the paper's
            rho).

    Raises:
        InputError: If the backend is not TensorFlow.
    """

    def __init__(self, inputs: Any, outputs: Any, *, radius: float, **kwargs: Any) -> None:
        if keras.backend.backend() != "tensorflow":
            raise InputError(
                f"train.*.sam works with TensorFlow and the backend is {keras.backend.backend()}; "
                "set sam to null, or KERAS_BACKEND to tensorflow."
            )
        super().__init__(inputs, outputs, **kwargs)
        self.radius = radius

    def train_step(self, data: Any) -> dict[str, Any]:
        """Keras's own step, but for where the gradient is taken."""
        import tensorflow as tf

        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        learnt, state = self.trainable_variables, self.non_trainable_variables
        masks = _values(state)
        slopes, loss, answers = self._slopes(x, y, weights)
        here, statistics = _values(learnt), _values(state)

        reach = self.radius / (tf.linalg.global_norm(slopes) + 1e-12)
        _assign(learnt, [value + reach * slope for value, slope in zip(here, slopes, strict=True)])
        _assign(state, masks)
        slopes, *_ = self._slopes(x, y, weights)
        _assign(learnt, here)
        _assign(state, statistics)

        self.optimizer.apply_gradients(zip(slopes, learnt, strict=True))
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0])  # as Keras's step does
        return self.compute_metrics(x, y, answers, sample_weight=weights)

    def _slopes(self, x: Any, y: Any, weights: Any) -> tuple[list[Any], Any, Any]:
        """Returns the gradient at the weights as they are, the loss and the logits."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            answers = self(x, training=True)
            loss = self.compute_loss(x, y, answers, weights, training=True)
        return tape.gradient(loss, self.trainable_variables), loss, answers


def _values(variables: list[keras.Variable]) -> list[Any]:
    return [keras.ops.copy(variable.value) for variable in variables]


def _assign(variables: list[keras.Variable], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
