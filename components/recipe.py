"""How a network is set up to learn: optimiser, schedule, loss. Training and search share it."""

import sys
from typing import Literal

import keras
import numpy as np
from keras import ops

# A progress bar for a person, a line an epoch for a log.
VERBOSITY = 1 if sys.stdout.isatty() else 2
# XLA is what makes JAX fast, but slows TensorFlow's depthwise layers tenfold on a CPU.
_WITH_XLA = keras.backend.backend() == "jax"


def compile_model(
    model: keras.Model,
    *,
    optimizer: Literal["adamw", "sgd"],
    learning_rate: float,
    steps: int | None,
    warmup_steps: int = 0,
    weight_decay: float = 0.0,
    ema: float | None = None,
    loss: keras.losses.Loss | None = None,
    classes: int | None = None,
) -> None:
    """Compiles `model` for cross-entropy over its logits.

    The learning rate rises linearly over the warm-up and then falls to zero along a cosine
    (Loshchilov & Hutter, "SGDR", 2017). AdamW is decoupled from the gradient (Loshchilov &
    Hutter, 2019); biases and normalisation parameters do not decay.

    Args:
        model: A model that returns logits.
        optimizer: `adamw`, or `sgd` with Nesterov momentum 0.9.
        learning_rate: Peak learning rate.
        steps: Batches of the whole training; `None` for a learning rate that stays.
        warmup_steps: Batches of the warm-up.
        weight_decay: Decoupled decay a step, relative to the learning rate.
        ema: Momentum of a running average of the weights that the optimiser keeps, if any.
        loss: Instead of the cross-entropy with the labels as they are.
        classes: How many of the model's answers are logits of the labels, if not all.
    """
    schedule = learning_rate
    if steps is not None:
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup_steps else learning_rate,
            warmup_target=learning_rate if warmup_steps else None,
            warmup_steps=warmup_steps,
            decay_steps=max(1, steps - warmup_steps),
        )
    average = {} if ema is None else {"use_ema": True, "ema_momentum": ema}
    if optimizer == "adamw":
        chosen = keras.optimizers.AdamW(schedule, weight_decay=weight_decay, **average)
    else:
        chosen = keras.optimizers.SGD(
            schedule, momentum=0.9, nesterov=True, weight_decay=weight_decay, **average
        )
    chosen.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        chosen,
        loss or cross_entropy(),
        weighted_metrics=[
            keras.metrics.MeanMetricWrapper(accuracy, name="accuracy", classes=classes)
        ],
        jit_compile=_WITH_XLA,
    )
    # Otherwise TensorFlow traces the first step twice, once to make what the optimiser keeps.
    chosen.build(model.trainable_variables)


def cross_entropy(label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Returns the cross-entropy of (N, classes) target distributions and logits.

    Args:
        label_smoothing: Share of each target spread evenly over the classes, in [0, 1).
    """
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)


def accuracy(
    y_true: keras.KerasTensor, y_pred: keras.KerasTensor, classes: int | None = None
) -> keras.KerasTensor:
    """Where the top class is the label's: (N,) of 0 and 1.

    A teacher's answers may follow the label's distribution (`components/distillation.py`), and
    votes both it and the logits of the `classes` (`components/second_task.py`).
    """
    classes = classes or y_pred.shape[-1]
    labels, logits = y_true[:, :classes], y_pred[:, :classes]
    return ops.cast(ops.argmax(labels, -1) == ops.argmax(logits, -1), "float32")


def predict(model: keras.Model, faces: np.ndarray | keras.utils.PyDataset) -> np.ndarray:
    """Runs a model that need not be compiled.

    Args:
        model: Any model of one input and one output.
        faces: (N, H, W, C) array, or batches of such.

    Returns:
        (N, classes) float32 outputs.
    """
    model.jit_compile = _WITH_XLA
    return model.predict(faces, verbose=0)
