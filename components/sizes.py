"""Progressive input size: the first epochs on smaller faces, which cost less.

M. Tan & Q. Le, "EfficientNetV2: Smaller Models and Faster Training" (2021), section 4, without
their rising regularisation. The networks resize the faces themselves and are convolutional below
their head, so the smaller network is the same layers behind another resizing.
"""

import keras
from keras import layers

from components.errors import InputError
from components.settings import TrainSettings

WHOLE = "all"  # the phase in which all layers learn, at the network's own size


def ends(settings: TrainSettings) -> dict[int, int | None]:
    """Returns where each stage ends: `{epoch that it does not reach: pixels a side}`.

    Stages too short for a whole epoch are left out. The last one has the network's own size,
    which is `None`.
    """
    early = {int(step.until * settings.epochs): step.size for step in settings.sizes}
    return {end: size for end, size in early.items() if end} | {settings.epochs: None}


def phase(epoch: int, settings: TrainSettings) -> str:
    """Names the phase of an epoch, counted from 0: `all`, or its size, such as `32 px`."""
    size = next(size for end, size in ends(settings).items() if epoch < end)
    return WHOLE if size is None else f"{size} px"


def resized(model: keras.Model, size: int | None) -> keras.Model:
    """Returns the network at another input size; it shares the layers, and so the weights.

    Args:
        model: Has a `Resizing` layer.
        size: Pixels a side; `None` for the model as it is.

    Raises:
        InputError: If the model has no such layer or cannot work at that size.
    """
    if size is None:
        return model
    if not any(isinstance(layer, layers.Resizing) for layer in model.layers):
        raise InputError(
            f"train.members.{model.name}.sizes: {model.name} does not resize its faces; set it to "
            "[]."
        )

    def layer_at_size(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, layers.Resizing):
            return layers.Resizing(size, size, name=layer.name)
        return layer

    try:
        return keras.models.clone_model(model, clone_function=layer_at_size)
    except ValueError:
        raise InputError(
            f"train.members.{model.name}.sizes: {model.name} cannot work at {size} px with the "
            "weights of its own size; name a larger size, or set it to []."
        ) from None
