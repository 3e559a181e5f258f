"""The article's `detect_emotion_model`, layer for layer: 230,807 parameters.

From the article whose code is github.com/hung96ad/face_classification. It starts from
Arriaga, Valdenegro-Toro & Plöger, "Real-time Convolutional Neural Networks for Emotion and
Gender Classification" (2017), arXiv:1710.07557 (our `mini_xception`), and has one stem
convolution instead of two, a fifth module, dropout and a dense head. Its L2 reaches the stem
alone, as it did there: Keras 2's separable convolution ignored `kernel_regularizer`.
"""

import keras
from keras import layers

from components.models import MOMENTUM, shortcut

FILTERS = (16, 32, 64, 128, 256)
HEAD = (128, 64, 32)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    input_size: int,
    *,
    dropout: float = 0.3,
    l2: float = 0.01,
    relu_logits: bool = False,
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces.
        classes: Number of classes.
        input_size: Side in pixels that the network works at (64 in the article).
        dropout: Rate after each module and each dense layer.
        l2: Kernel penalty of the stem convolution.
        relu_logits: The article's defect: a ReLU before the softmax, so that no class can
            be less likely than one whose logit is 0, and those stop learning.

    Returns:
        A model from grey levels 0..255 to logits; 230,807 parameters at 7 classes.
    """
    inputs = keras.Input(input_shape)
    x = layers.Resizing(input_size, input_size)(inputs)
    x = layers.Rescaling(2 / 255, offset=-1)(x)

    # Stem
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
        x = layers.Dropout(dropout)(x)

    # Head
    x = layers.GlobalAveragePooling2D()(x)
    for units in HEAD:
        x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
    activation = "relu" if relu_logits else None
    logits = layers.Dense(classes, activation=activation, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="detect_emotion")
