"""EfficientNet-B3 (body 10,783,528 parameters), one dense layer on top.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019),
arXiv:1905.11946; the body is `keras.applications.EfficientNetB3`.
"""

import keras

from components.models import _efficientnet

SMALLEST_INPUT = _efficientnet.SMALLEST_INPUT


def build(
    input_shape: tuple[int, int, int], classes: int, input_size: int, *, dropout: float = 0.3
) -> keras.Model:
    """Builds the network.

    Args:
        input_shape: (H, W, C) of the faces; a single channel is repeated.
        classes: Number of classes.
        input_size: Side in pixels that the network works at (300 in the paper).
        dropout: Rate of the dropout before the last layer.

    Returns:
        A model from grey levels 0..255 to logits; 10,794,287 parameters at 7 classes.
    """
    return _efficientnet.build(
        keras.applications.EfficientNetB3,
        input_shape,
        classes,
        input_size,
        dropout,
        "efficientnet_b3",
    )
