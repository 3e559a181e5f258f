"""The article's random space: the networks that its generator draws from.

A 3x3 convolution to 8 channels; two to eight modules; a 3x3 convolution to one channel a class;
their average or maximum over the picture. A module is mini-Xception's: two separable convolutions
and a maximum pool beside a strided convolution. The generator draws each module's width, kernel,
stride, bias, normalisation, activation and dropout on their own.

Two things are not taken over. The generator puts an activation between the last convolution and
the softmax, which cuts off logits (`detect_emotion` has it as an option), and it penalises
weights by their square, which is `train.*.weight_decay` here.
"""

from typing import Any

import keras
from keras import layers

from components.models import MOMENTUM

ACTIVATIONS = (
    "softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid", "linear",
)  # fmt: skip
MOST_MODULES = 8
STEM = 8


def sample(hp: Any) -> dict[str, Any]:
    """Draws one architecture; see `components.models.searched.sample`."""
    modules = [
        {
            "filters": hp.Int(f"filters_{i}", 16, 56, step=8),
            "kernel": hp.Choice(f"kernel_{i}", [3, 5, 7]),
            "stride": hp.Choice(f"stride_{i}", [1, 2]),
            "bias": hp.Boolean(f"bias_{i}"),
            "norm_shortcut": hp.Boolean(f"norm_shortcut_{i}"),
            "norm_first": hp.Boolean(f"norm_first_{i}"),
            "norm_second": hp.Boolean(f"norm_second_{i}"),
            "activation": hp.Choice(f"activation_{i}", list(ACTIVATIONS)),
            "dropout": hp.Boolean(f"drop_{i}") * hp.Float(f"dropout_{i}", 0.1, 0.6, step=0.1),
        }
        for i in range(MOST_MODULES)  # all, so that the space is the same for every trial
    ]
    return {
        "activation": hp.Choice("activation", list(ACTIVATIONS)),
        "modules": modules[: hp.Int("modules", 2, MOST_MODULES)],
        "head": hp.Choice("head", ["average", "max"]),
    }


def logits(x: keras.KerasTensor, architecture: dict[str, Any], classes: int) -> keras.KerasTensor:
    """Puts an architecture behind x, up to (N, classes) logits."""
    x = layers.Conv2D(STEM, 3, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    x = layers.Activation(architecture["activation"])(x)
    for module in architecture["modules"]:
        x = _module(x, module)
    x = layers.Conv2D(classes, 3, padding="same")(x)
    pools = {"average": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    return pools[architecture["head"]](dtype="float32", name="logits")(x)


def _module(x: keras.KerasTensor, module: dict[str, Any]) -> keras.KerasTensor:
    filters, kernel, stride = module["filters"], module["kernel"], module["stride"]
    convolution = {"padding": "same", "use_bias": module["bias"]}
    shortcut = layers.Conv2D(filters, kernel, strides=stride, **convolution)(x)
    if module["norm_shortcut"]:
        shortcut = layers.BatchNormalization(momentum=MOMENTUM)(shortcut)
    x = layers.SeparableConv2D(filters, kernel, **convolution)(x)
    if module["norm_first"]:
        x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    x = layers.Activation(module["activation"])(x)
    x = layers.SeparableConv2D(filters, kernel, **convolution)(x)
    if module["norm_second"]:
        x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    x = layers.MaxPooling2D(kernel, strides=stride, padding="same")(x)
    x = layers.Add()([x, shortcut])
    return layers.Dropout(module["dropout"])(x) if module["dropout"] else x
