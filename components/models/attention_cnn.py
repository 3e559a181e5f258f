"""A small residual network that attends to channels and places.

Woo, Park, Lee & Kweon, "CBAM: Convolutional Block Attention Module" (2018),
arXiv:1807.06521, in the residual blocks of He, Zhang, Ren & Sun (2016): each block weighs its
channels by what they hold on average and at most, then its places by what they hold across
the channels, before it is added to the shortcut.
"""

import keras
from keras import layers, ops

from components.models import FEATURES, MOMENTUM

FILTERS = (48, 96, 192)
REDUCTION = 8  # of the channels inside the attention; 16 in the paper, whose layers are wider


def build(
    input_shape: tuple[int, int, int], classes: int, input_size: int, *, dropout: float = 0.3
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces.
        classes: Number of classes.
        input_size: Side in pixels that the network works at.
        dropout: Rate of the dropout before the last layer.

    Returns:
        A model from grey levels 0..255 to logits; 705,178 parameters at 7 classes and one
        channel.
    """
    inputs = keras.Input(input_shape)
    x = layers.Resizing(input_size, input_size)(inputs)
    x = layers.Rescaling(2 / 255, offset=-1)(x)

    # Stem
    x = _convolution(x, FILTERS[0])
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D(2)(x)

    # Residual blocks with attention
    for stage, filters in enumerate(FILTERS):
        stride = 2 if stage else 1
        shortcut = _convolution(x, filters, 1, stride) if stage else x
        x = _convolution(x, filters, stride=stride)
        x = layers.ReLU()(x)
        x = _convolution(x, filters)
        x = _attend_to_places(_attend_to_channels(x))
        x = layers.ReLU()(layers.Add()([x, shortcut]))

    # Head
    x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="attention_cnn")


def _convolution(
    x: keras.KerasTensor, filters: int, size: int = 3, stride: int = 1
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    return layers.BatchNormalization(momentum=MOMENTUM)(x)


def _attend_to_channels(x: keras.KerasTensor) -> keras.KerasTensor:
    channels = x.shape[-1]
    squeeze = layers.Dense(channels // REDUCTION, activation="relu")
    excite = layers.Dense(channels)
    pooled = (layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x))
    scores = layers.Add()([excite(squeeze(summary)) for summary in pooled])
    weights = layers.Activation("sigmoid")(scores)
    return layers.Multiply()([x, layers.Reshape((1, 1, channels))(weights)])


def _attend_to_places(x: keras.KerasTensor) -> keras.KerasTensor:
    summary = layers.Concatenate()(
        [ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)]
    )
    weights = layers.Conv2D(1, 7, padding="same", activation="sigmoid")(summary)
    return layers.Multiply()([x, weights])
