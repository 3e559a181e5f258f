"""Ours, for faces of 48 px: a residual network with squeeze and excitation, 74 million MACs.

He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition" (2016); Hu, Shen & Sun,
"Squeeze-and-Excitation Networks" (2018), arXiv:1709.01507. What is chosen for this size and
for a CPU: whole 3x3 convolutions of 48 channels and more, which run there at several times the
speed of depthwise ones; half the resolution after the stem, since the expression of a small
face survives it; three stages, so that the last maps still have 6x6 places.
"""

import keras
from keras import layers

from components.models import FEATURES, MOMENTUM
from components.models._faces import prepared

FILTERS = (48, 96, 192)
REDUCTION = 8  # of the channels inside squeeze and excitation


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    input_size: int,
    *,
    width: float = 1.0,
    depth: int = 1,
    dropout: float = 0.3,
    normalise: str | None = None,
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces.
        classes: Number of classes.
        input_size: Side in pixels that the network works at.
        width: Factor on the number of filters, which stay multiples of 8.
        depth: Residual blocks a stage; at 48 px, 74 million MACs with one, 146 with two.
        dropout: Rate of the dropout before the last layer.
        normalise: As `_faces.prepared` takes it.

    Returns:
        A model from grey levels 0..255 to logits; 725,809 parameters at 7 classes, one
        channel, and the default width and depth.
    """
    inputs = keras.Input(input_shape)
    x = prepared(inputs, input_size, normalise)
    widths = [max(8, round(width * filters / 8) * 8) for filters in FILTERS]

    # Stem
    for stride in (1, 2):
        x = _convolution(x, widths[0], stride=stride)
        x = layers.ReLU()(x)

    # Residual stages
    for stage, filters in enumerate(widths):
        for block in range(depth):
            x = _block(x, filters, halve=stage > 0 and block == 0)

    # Head
    x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="mien")


def _block(x: keras.KerasTensor, filters: int, halve: bool) -> keras.KerasTensor:
    stride = 2 if halve else 1
    shortcut = _convolution(x, filters, 1, stride) if halve else x
    x = _convolution(x, filters, stride=stride)
    x = layers.ReLU()(x)
    # A block starts as the identity (Goyal et al., "Accurate, Large Minibatch SGD", 2017, 5.1).
    x = _convolution(x, filters, gamma="zeros")
    scale = layers.GlobalAveragePooling2D()(x)
    scale = layers.Dense(filters // REDUCTION, activation="relu")(scale)
    scale = layers.Dense(filters, activation="sigmoid")(scale)
    x = layers.Multiply()([x, layers.Reshape((1, 1, filters))(scale)])
    return layers.ReLU()(layers.Add()([x, shortcut]))


def _convolution(
    x: keras.KerasTensor, filters: int, size: int = 3, stride: int = 1, gamma: str = "ones"
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    return layers.BatchNormalization(momentum=MOMENTUM, gamma_initializer=gamma)(x)
