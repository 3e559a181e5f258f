"""The wider space: small residual networks, of about the cost of a picture of 48 px.

Residual blocks normalised before their convolutions (He et al., *Identity Mappings in Deep
Residual Networks*, 2016), full or depthwise separable ones (Chollet, 2017), with or without
squeeze and excitation (Hu et al., 2018).
"""

from typing import Any

import keras
from keras import layers, ops

from components.models import FEATURES, MOMENTUM

ACTIVATIONS = (
    "relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "tanh", "leaky_relu",
)  # fmt: skip
MOST_STAGES = 4
SQUEEZE = 4  # how many times fewer channels look at all of them


def sample(hp: Any) -> dict[str, Any]:
    """Draws one architecture; see `components.models.searched.sample`."""
    width = hp.Int("width", 16, 64, step=8)
    growth = hp.Choice("growth", [1.0, 1.5, 2.0])
    stages = [
        {
            "filters": 8 * round(width * growth**i / 8),
            "blocks": hp.Int(f"blocks_{i}", 1, 3),
            "kernel": hp.Choice(f"kernel_{i}", [3, 5]),
        }
        for i in range(MOST_STAGES)  # all, so that the space is the same for every trial
    ]
    return {
        "stem": width,
        "stride": hp.Choice("stride", [1, 2]),
        "convolution": hp.Choice("convolution", ["full", "separable"]),
        "squeeze": hp.Boolean("squeeze"),
        "activation": hp.Choice("activation", list(ACTIVATIONS)),
        "dropout": hp.Float("dropout", 0.0, 0.5, step=0.1),
        "head": hp.Choice("head", ["average", "max"]),
        "stages": stages[: hp.Int("stages", 2, MOST_STAGES)],
    }


def logits(x: keras.KerasTensor, architecture: dict[str, Any], classes: int) -> keras.KerasTensor:
    """Puts an architecture behind x, up to (N, classes) logits."""
    stride, activation = architecture["stride"], architecture["activation"]
    x = layers.Conv2D(architecture["stem"], 3, strides=stride, padding="same", use_bias=False)(x)
    for number, stage in enumerate(architecture["stages"]):
        for block in range(stage["blocks"]):
            halve = number > 0 and block == 0
            x = _block(x, stage, architecture, strides=2 if halve else 1)
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    x = activate(x, activation)
    pools = {"average": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    x = pools[architecture["head"]](name=FEATURES)(x)
    if architecture["dropout"]:
        x = layers.Dropout(architecture["dropout"])(x)
    return layers.Dense(classes, dtype="float32", name="logits")(x)


def _block(
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
        x = activate(x, architecture["activation"])
        x = convolution(filters, stage["kernel"], strides=step, padding="same", use_bias=False)(x)
    if architecture["squeeze"]:
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = layers.Conv2D(filters // SQUEEZE, 1, activation="relu")(gate)
        x = layers.Multiply()([x, layers.Conv2D(filters, 1, activation="sigmoid")(gate)])
    if shortcut.shape[1:] != x.shape[1:]:
        shortcut = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(shortcut)
    return layers.Add()([x, shortcut])


def activate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Applies one of `ACTIVATIONS`."""
    if name == "gelu":  # ONNX has no complementary error function, which the exact one needs
        return ops.gelu(x, approximate=True)
    return layers.Activation(name)(x)
