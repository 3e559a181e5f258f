"""What the search found: a plain stack of convolution blocks from the article's space.

The article draws architectures at random from this space and keeps the best; here the
space belongs to Keras Tuner (`components/search.py`), which hands its choice on as the
plain dictionary that `build` takes.
"""

from typing import Any, Protocol

import keras
from keras import layers, ops

from components.models import MOMENTUM

ACTIVATIONS = (
    "relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "tanh", "leaky_relu",
)  # fmt: skip
MOST_BLOCKS = 8


class Sampler(Protocol):
    """The part of `keras_tuner.HyperParameters` that `sample` uses."""

    def Int(self, name: str, min_value: int, max_value: int, step: int = 1) -> int: ...  # noqa: N802
    def Float(self, name: str, min_value: float, max_value: float, step: float) -> float: ...  # noqa: N802
    def Choice(self, name: str, values: list) -> Any: ...  # noqa: N802
    def Boolean(self, name: str) -> bool: ...  # noqa: N802


def sample(hp: Sampler) -> dict[str, Any]:
    """Draws one architecture from the article's space.

    Args:
        hp: Keras Tuner's hyperparameters, or anything with its four methods.

    Returns:
        The architecture as plain values: `head`, and `blocks`, a list of 2 to 8
        dictionaries with `filters` (16 to 56), `kernel` (3, 5, 7), `stride` (1, 2), `bias`,
        `batch_norm`, `activation` and `dropout` (0.1 to 0.6).
    """
    blocks = [
        {
            "filters": hp.Int(f"filters_{i}", 16, 56, step=8),
            "kernel": hp.Choice(f"kernel_{i}", [3, 5, 7]),
            "stride": hp.Choice(f"stride_{i}", [1, 2]),
            "bias": hp.Boolean(f"bias_{i}"),
            "batch_norm": hp.Boolean(f"batch_norm_{i}"),
            "activation": hp.Choice(f"activation_{i}", list(ACTIVATIONS)),
            "dropout": hp.Float(f"dropout_{i}", 0.1, 0.6, step=0.1),
        }
        for i in range(MOST_BLOCKS)  # all of them, so that the space is the same for every trial
    ]
    depth = hp.Int("blocks", 2, MOST_BLOCKS)
    return {"head": hp.Choice("head", ["average", "max"]), "blocks": blocks[:depth]}


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    input_size: int,
    *,
    architecture: dict[str, Any],
) -> keras.Model:
    """Builds an architecture of the space.

    Args:
        input_shape: (H, W, C) of the faces.
        classes: Number of classes.
        input_size: Side in pixels that the network works at.
        architecture: As `sample` returns it.

    Returns:
        A model from grey levels 0..255 to logits.
    """
    inputs = keras.Input(input_shape)
    x = layers.Resizing(input_size, input_size)(inputs)
    x = layers.Rescaling(2 / 255, offset=-1)(x)
    for block in architecture["blocks"]:
        x = layers.Conv2D(
            block["filters"],
            block["kernel"],
            strides=block["stride"],
            padding="same",
            use_bias=block["bias"],
        )(x)
        if block["batch_norm"]:
            x = layers.BatchNormalization(momentum=MOMENTUM)(x)
        x = _activate(x, block["activation"])
        x = layers.Dropout(block["dropout"])(x)
    pool = layers.GlobalMaxPooling2D if architecture["head"] == "max" else None
    x = (pool or layers.GlobalAveragePooling2D)()(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="searched")


def _activate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    if name == "gelu":  # ONNX has no complementary error function, which the exact one needs
        return ops.gelu(x, approximate=True)
    return layers.Activation(name)(x)
