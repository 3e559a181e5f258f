"""Architectures, one a file, looked up by name.

Every module here has a `build(input_shape, classes, input_size, …)` that returns an
uncompiled `keras.Model`: grey levels 0..255 of shape (N, H, W, C) in, logits of shape
(N, classes) out. Resizing and normalisation are layers of the model, so a saved
member takes faces as they lie on disk and no caller can feed it wrongly. A network with a
head above a body calls the body's last layer `features`; `train` may begin with the head.
"""

import importlib
import inspect
import pkgutil
from typing import Any

import keras
from keras import layers

from components.errors import InputError

# Of batch normalisation's running statistics. Keras's 0.99 lags a hundred batches behind the
# weights, which is most of a training from scratch on a small data set.
MOMENTUM = 0.9

# The layer at which the body ends and a head begins that can be trained alone.
FEATURES = "features"


def names() -> list[str]:
    """Returns the names of the architectures in this folder."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in modules if not name.startswith("_"))


def build(
    name: str, input_shape: tuple[int, int, int], classes: int, input_size: int, **options: Any
) -> keras.Model:
    """Builds an architecture by name.

    Args:
        name: One of `names()`.
        input_shape: (H, W, C) of the faces, C being 1 (grey) or 3 (RGB).
        classes: Number of classes.
        input_size: Side in pixels that the network itself works at.
        **options: What the architecture takes beyond these.

    Returns:
        An uncompiled model from grey levels 0..255 to logits.

    Raises:
        InputError: If there is no such architecture, the size is too small for it, or it
            does not take an option.
    """
    if name not in names():
        raise InputError(
            f"there is no architecture {name!r} in components/models; it has {', '.join(names())}."
        )
    module = importlib.import_module(f"{__name__}.{name}")
    smallest = smallest_input(name)
    if input_size < smallest:
        raise InputError(
            f"{name} cannot take faces of {input_size} px: its smallest input_size is {smallest}."
        )
    for option in options.keys() - inspect.signature(module.build).parameters.keys():
        raise InputError(f"design.{name}.{option}: {name} has no {option}; remove it.")
    return module.build(input_shape, classes, input_size, **options)


def smallest_input(name: str) -> int:
    """Returns the least side in pixels that an architecture can work at."""
    return getattr(importlib.import_module(f"{__name__}.{name}"), "SMALLEST_INPUT", 8)


def body(model: keras.Model) -> list[keras.Layer]:
    """Returns the layers below the head: all that the layer `features` is computed from.

    Their weights can be pretrained and frozen, and what leaves the last of them computed
    once. An architecture whose logits are pooled maps (`mini_xception`, the article's
    `searched`) has no such layer and an empty list.
    """
    if FEATURES not in {layer.name for layer in model.layers}:
        return []
    return keras.Model(model.inputs, model.get_layer(FEATURES).output).layers


def shortcut(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """Returns every other row and column of x with as many channels as a module's other branch.

    It is a 1×1 convolution with a stride of 2. Said so, its gradient on fewer than 16 channels
    corrupts memory where TensorFlow 2.21 runs on a CPU with oneDNN.
    """
    return layers.Conv2D(filters, 1, use_bias=False)(x[:, ::2, ::2])


def as_rgb(x: keras.KerasTensor) -> keras.KerasTensor:
    """Repeats grey levels for the three channels of a body that was made for colour."""
    return layers.Concatenate()([x] * 3) if x.shape[-1] == 1 else x


def as_bgr(x: keras.KerasTensor, mean: tuple[float, float, float]) -> keras.KerasTensor:
    """Turns grey or RGB levels into the mean-free BGR that Caffe-trained bodies expect.

    Args:
        x: (N, H, W, 1 or 3) levels 0..255.
        mean: Mean level of blue, green and red.

    Returns:
        (N, H, W, 3) BGR levels with the mean taken off.
    """
    bgr = layers.Concatenate()([x] * 3) if x.shape[-1] == 1 else x[..., ::-1]
    return layers.Rescaling(1.0, offset=[-level for level in mean])(bgr)
