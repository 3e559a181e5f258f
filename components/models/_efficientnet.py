"""What EfficientNet-B3 and -B4 share: Keras's body without its normalisation, and the head.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019),
arXiv:1905.11946, table 1.
"""

from collections.abc import Callable

import keras
from keras import layers

from components.models import FEATURES, MOMENTUM, as_rgb

MEAN_RGB = (0.485, 0.456, 0.406)  # of ImageNet, as shares of 255
STD_RGB = (0.229, 0.224, 0.225)
SMALLEST_INPUT = 32


def build(
    application: Callable[..., keras.Model],
    input_shape: tuple[int, int, int],
    classes: int,
    input_size: int,
    dropout: float,
    name: str,
) -> keras.Model:
    """Builds an EfficientNet on grey levels.

    Keras's own first layers are left out: their `Normalization` becomes dangling inputs in
    ONNX. The rescaling here gives the body what it gets there with ImageNet's weights.

    Args:
        application: The body's function in `keras.applications`.
        input_shape: (H, W, C) of the faces; a single channel is repeated.
        classes: Number of classes.
        input_size: Side in pixels that the network works at.
        dropout: Rate of the dropout before the last layer.
        name: Of the model.

    Returns:
        A model from grey levels 0..255 to logits.
    """
    whole = application(include_top=False, weights=None, input_shape=(input_size, input_size, 3))
    body = keras.Model(whole.get_layer("stem_conv_pad").input, whole.output)
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM

    inputs = keras.Input(input_shape)
    x = layers.Resizing(input_size, input_size)(inputs)
    x = layers.Rescaling(
        [1 / (255 * std) for std in STD_RGB],
        offset=[-mean / std for mean, std in zip(MEAN_RGB, STD_RGB, strict=True)],
    )(as_rgb(x))
    x = body.call(x)  # not body(x): its layers join ours, under the names of the weights file

    x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name=name)
