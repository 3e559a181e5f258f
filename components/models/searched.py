"""What the search found: a network from one of two spaces.

`article` is the space of the article, a plain stack of convolution blocks; the article draws
architectures from it at random and keeps the best. `wide` is a space around small residual
networks (He et al., *Identity Mappings in Deep Residual Networks*, 2016), with full or depthwise
separable convolutions (Chollet, 2017) and squeeze-and-excitation (Hu et al., 2018). Both belong to
Keras Tuner (`components/search.py`), which hands its choice on as the plain dictionary that
`build` takes.
"""

from typing import Any, Protocol

import keras
from keras import layers, ops

from components.models import MOMENTUM

ACTIVATIONS = (
    "relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "tanh", "leaky_relu",
)  # fmt: skip
MOST_BLOCKS = 8
MOST_STAGES = 4
SQUEEZE = 4  # how many times fewer channels look at all of them


class Sampler(Protocol):
    """The part of `keras_tuner.HyperParameters` that `sample` uses."""

    def Int(self, name: str, min_value: int, max_value: int, step: int = 1) -> int: ...  # noqa: N802
    def Float(self, name: str, min_value: float, max_value: float, step: float) -> float: ...  # noqa: N802
    def Choice(self, name: str, values: list) -> Any: ...  # noqa: N802
    def Boolean(self, name: str) -> bool: ...  # noqa: N802


def sample(hp: Sampler, space: str = "article") -> dict[str, Any]:
    """Draws one architecture.

    Args:
        hp: Keras Tuner's hyperparameters, or anything with its four methods.
        space: `article` or `wide`.

    Returns:
        The architecture as plain values. From the article's space `head` and `blocks`, a list of
        2 to 8 dictionaries with `filters` (16 to 56), `kernel` (3, 5, 7), `stride` (1, 2), `bias`,
        `batch_norm`, `activation` and `dropout` (0.1 to 0.6). From the wide one `stem` (filters),
        `stride` (of the stem), `convolution`, `squeeze`, `activation`, `dropout`, `head` and
        `stages`, a list of 2 to 4 dictionaries with `filters`, `blocks` and `kernel`.
    """
    return _sample_article(hp) if space == "article" else _sample_wide(hp)


def _sample_article(hp: Sampler) -> dict[str, Any]:
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


def _sample_wide(hp: Sampler) -> dict[str, Any]:
    width = hp.Int("width", 16, 64, step=8)
    growth = hp.Choice("growth", [1.0, 1.5, 2.0])
    stages = [
        {
            "filters": 8 * round(width * growth**i / 8),
            "blocks": hp.Int(f"blocks_{i}", 1, 3),
            "kernel": hp.Choice(f"kernel_{i}", [3, 5]),
        }
        for i in range(MOST_STAGES)
    ]
    depth = hp.Int("stages", 2, MOST_STAGES)
    return {
        "stem": width,
        "stride": hp.Choice("stride", [1, 2]),
        "convolution": hp.Choice("convolution", ["full", "separable"]),
        "squeeze": hp.Boolean("squeeze"),
        "activation": hp.Choice("activation", list(ACTIVATIONS)),
        "dropout": hp.Float("dropout", 0.0, 0.5, step=0.1),
        "head": hp.Choice("head", ["average", "max"]),
        "stages": stages[:depth],
    }


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    input_size: int,
    *,
    architecture: dict[str, Any],
) -> keras.Model:
    """Builds an architecture of either space.

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
    body = _residual_body if "stages" in architecture else _plain_body
    x = body(x, architecture)
    pool = layers.GlobalMaxPooling2D if architecture["head"] == "max" else None
    x = (pool or layers.GlobalAveragePooling2D)()(x)
    if architecture.get("dropout"):
        x = layers.Dropout(architecture["dropout"])(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="searched")


def _plain_body(x: keras.KerasTensor, architecture: dict[str, Any]) -> keras.KerasTensor:
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
    return x


def _residual_body(x: keras.KerasTensor, architecture: dict[str, Any]) -> keras.KerasTensor:
    stride, activation = architecture["stride"], architecture["activation"]
    x = layers.Conv2D(architecture["stem"], 3, strides=stride, padding="same", use_bias=False)(x)
    for number, stage in enumerate(architecture["stages"]):
        for block in range(stage["blocks"]):
            halve = number > 0 and block == 0
            x = _residual_block(x, stage, architecture, strides=2 if halve else 1)
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    return _activate(x, activation)


def _residual_block(
    x: keras.KerasTensor, stage: dict[str, Any], architecture: dict[str, Any], strides: int
) -> keras.KerasTensor:
    """Normalisation and activation come before each of the two convolutions."""
    filters = stage["filters"]
    convolution = layers.Conv2D
    if architecture["convolution"] == "separable":
        convolution = layers.SeparableConv2D
    shortcut = x
    for step in (strides, 1):
        x = layers.BatchNormalization(momentum=MOMENTUM)(x)
        x = _activate(x, architecture["activation"])
        x = convolution(filters, stage["kernel"], strides=step, padding="same", use_bias=False)(x)
    if architecture["squeeze"]:
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = layers.Conv2D(filters // SQUEEZE, 1, activation="relu")(gate)
        x = layers.Multiply()([x, layers.Conv2D(filters, 1, activation="sigmoid")(gate)])
    if shortcut.shape[1:] != x.shape[1:]:
        shortcut = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(shortcut)
    return layers.Add()([x, shortcut])


def _activate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    if name == "gelu":  # ONNX has no complementary error function, which the exact one needs
        return ops.gelu(x, approximate=True)
    return layers.Activation(name)(x)
