"""VGGFace: the VGG-16 body (14,714,688 parameters) under the report's head.

Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (2015), table 1, column D; trained on faces by Parkhi, Vedaldi & Zisserman,
"Deep Face Recognition" (2015). Layer names are those of the published VGGFace weights.
"""

import keras
from keras import layers

from components.models import FEATURES, MOMENTUM, as_bgr

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
MEAN_BGR = (93.5940, 104.7624, 129.1863)  # of the faces VGGFace was trained on
SMALLEST_INPUT = 32  # five halvings must leave one pixel


def build(
    input_shape: tuple[int, int, int], classes: int, input_size: int, *, dropout: float = 0.5
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces; a single channel is repeated.
        classes: Number of classes.
        input_size: Side in pixels that the network works at (224 in the paper).
        dropout: Rate of both dropout layers of the head.

    Returns:
        A model from grey levels 0..255 to logits; 15,045,959 parameters at 7 classes.
    """
    inputs = keras.Input(input_shape)
    x = layers.Resizing(input_size, input_size)(inputs)
    x = as_bgr(x, MEAN_BGR)

    # Body: five blocks of 3x3 convolutions
    for block, (filters, depth) in enumerate(BLOCKS, start=1):
        for conv in range(1, depth + 1):
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",  # without it 13 ReLU layers fade the signal
                name=f"conv{block}_{conv}",
            )(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)

    # Head
    x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(512, activation="relu", kernel_initializer="he_normal")(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(128, activation="relu", kernel_initializer="he_normal")(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="vggface")
