"""EfficientNet-B4 (body 17,673,816 parameters), one dense layer on top.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019),
arXiv:1905.11946; the body is `keras.applications.EfficientNetB4`.
"""

import keras

from components.models import _efficientnet

SMALLEST_INPUT = _efficientnet.SMALLEST_INPUT


def build(
    input_shape: tuple[int, int, int], classes: int, input_size: int, *, dropout: float = 0.4
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces; a single channel is repeated.
        classes: Number of classes.
        input_size: Side in pixels that the network works at (380 in the paper).
        dropout: Rate of the dropout before the last layer.

    Returns:
        A model from grey levels 0..255 to logits; 17,686,367 parameters at 7 classes.
    """
    return _efficientnet.build(
        keras.applications.EfficientNetB4,
        input_shape,
        classes,
        input_size,
        dropout,
        "efficientnet_b4",
    )
