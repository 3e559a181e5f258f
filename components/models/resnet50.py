"""ResNet-50 as ImageNet's weights expect it (body 23,587,712 parameters), one dense layer on top.

He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition" (2016), table 1. The body
is `keras.applications.ResNet50`, with its layer names and its Caffe preprocessing (BGR, mean
taken off). `vggface2` is the same table with other strides, without biases, under the
report's head.
"""

import keras
from keras import layers

from components.models import FEATURES, MOMENTUM, as_bgr

MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet
SMALLEST_INPUT = 32


def build(
    input_shape: tuple[int, int, int], classes: int, input_size: int, *, dropout: float = 0.5
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces; a single channel is repeated.
        classes: Number of classes.
        input_size: Side in pixels that the network works at (224 in the paper).
        dropout: Rate of the dropout before the last layer.

    Returns:
        A model from grey levels 0..255 to logits; 23,602,055 parameters at 7 classes.
    """
    inputs = keras.Input(input_shape)
    x = layers.Resizing(input_size, input_size)(inputs)
    x = as_bgr(x, MEAN_BGR)

    body = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM

    x = layers.GlobalAveragePooling2D(name=FEATURES)(body.output)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="resnet50")
