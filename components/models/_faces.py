"""What a network makes of a face before its first convolution.

Local contrast normalisation: Jarrett, Kavukcuoglu, Ranzato & LeCun, "What is the Best Multi-Stage
Architecture for Object Recognition?" (2009), section 2.1, with a square window in place of their
Gaussian one.
"""

import keras
from keras import layers, ops

WINDOW = 9  # pixels a side, as theirs
LEAST = 0.01  # deviation, about one grey level: a blank face stays blank


def prepared(
    faces: keras.KerasTensor, input_size: int, normalise: str | None = None
) -> keras.KerasTensor:
    """Brings faces to the network's size and range.

    Args:
        faces: (N, H, W, C) grey levels 0..255.
        input_size: Side in pixels that the network works at.
        normalise: `local_contrast`: each pixel less the mean around it, divided by the deviation
            around it or that of the whole face, whichever is larger. So light and shade that a
            lamp throws over a face are gone before the network sees them.

    Returns:
        (N, input_size, input_size, C), in -1..1 unless normalised.
    """
    x = layers.Resizing(input_size, input_size)(faces)
    x = layers.Rescaling(2 / 255, offset=-1)(x)
    return _local_contrast(x) if normalise == "local_contrast" else x


def _local_contrast(x: keras.KerasTensor) -> keras.KerasTensor:
    around = layers.AveragePooling2D(WINDOW, strides=1, padding="same")
    centred = layers.Subtract()([x, around(x)])
    deviation = ops.sqrt(around(ops.square(centred)))
    whole = ops.mean(deviation, axis=(1, 2), keepdims=True)
    return centred / ops.maximum(deviation, ops.maximum(whole, LEAST))
