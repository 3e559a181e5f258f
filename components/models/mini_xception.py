"""Mini-Xception: four residual modules of separable convolutions, some 58,000 parameters.

Arriaga, Valdenegro-Toro & Plöger, "Real-time Convolutional Neural Networks for Emotion
and Gender Classification" (2017), arXiv:1710.07557, figure 4, as in their released code.
"""

import keras
from keras import layers

from components.models import MOMENTUM, shortcut

FILTERS = (16, 32, 64, 128)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    input_size: int,
    *,
    l2: float = 0.01,
    relu_logits: bool = False,
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces.
        classes: Number of classes.
        input_size: Side in pixels that the network works at (64 in the paper).
        l2: Kernel penalty of the two stem convolutions.
        relu_logits: The article's defect, a ReLU before the softmax (see `detect_emotion`).

    Returns:
        A model from grey levels 0..255 to logits.
    """
    inputs = keras.Input(input_shape)
    x = layers.Resizing(input_size, input_size)(inputs)
    x = layers.Rescaling(2 / 255, offset=-1)(x)

    # Stem
    for _ in range(2):
        x = layers.Conv2D(8, 3, use_bias=False, kernel_regularizer=keras.regularizers.l2(l2))(x)
        x = layers.BatchNormalization(momentum=MOMENTUM)(x)
        x = layers.ReLU()(x)

    # Residual modules
    for filters in FILTERS:
        residual = layers.BatchNormalization(momentum=MOMENTUM)(shortcut(x, filters))
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=MOMENTUM)(x)
        x = layers.ReLU()(x)
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=MOMENTUM)(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.Add()([x, residual])

    # Head: one map a class, averaged
    x = layers.Conv2D(classes, 3, padding="same")(x)
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x)
    if relu_logits:
        logits = layers.ReLU(dtype="float32")(logits)
    return keras.Model(inputs, logits, name="mini_xception")
