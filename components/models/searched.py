"""What the search found: a network from one of two spaces.

`article` is what the article's generator draws from (`_article.py`), at random and keeping the
best; `wide` is a space around small residual networks (`_wide.py`). Both belong to Keras Tuner
(`components/search.py`), which hands its choice on as the plain dictionary that `build` takes.
"""

from typing import Any, Protocol

import keras

from components.models import _article, _wide
from components.models._faces import prepared


class Sampler(Protocol):
    """The part of `keras_tuner.HyperParameters` that `sample` uses."""

    def Int(self, name: str, min_value: int, max_value: int, step: int = 1) -> int: ...  # noqa: N802
    def Float(self, name: str, min_value: float, max_value: float, step: float) -> float: ...  # noqa: N802
    def Choice(self, name: str, values: list) -> Any: ...  # noqa: N802
    def Boolean(self, name: str) -> bool: ...  # noqa: N802


def sample(hp: Sampler, space: str = "article") -> dict[str, Any]:
    """Draws one architecture.

    Args:
        hp: Keras Tuner's hyperparameters, or anything with its four methods.
        space: `article` or `wide`.

    Returns:
        The architecture as plain values. From the article's space `activation` (of the first
        convolution), `head` (`average` or `max`) and `modules`, a list of 2 to 8 dictionaries with
        `filters` (16 to 56), `kernel` (3, 5, 7), `stride` (1, 2), `bias`, `norm_shortcut`,
        `norm_first`, `norm_second`, `activation` and `dropout` (0, or 0.1 to 0.6). From the wide
        one `stem` (filters), `stride` (of the stem), `convolution`, `squeeze`, `activation`,
        `dropout`, `head` and `stages`, a list of 2 to 4 dictionaries with `filters`, `blocks` and
        `kernel`.
    """
    return _article.sample(hp) if space == "article" else _wide.sample(hp)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    input_size: int,
    *,
    architecture: dict[str, Any],
    normalise: str | None = None,
) -> keras.Model:
    """Builds an architecture of either space.

    Args:
        input_shape: (H, W, C) of the faces.
        classes: Number of classes.
        input_size: Side in pixels that the network works at.
        architecture: As `sample` returns it.
        normalise: As `_faces.prepared` takes it.

    Returns:
        A model from grey levels 0..255 to logits.
    """
    inputs = keras.Input(input_shape)
    x = prepared(inputs, input_size, normalise)
    space = _article if "modules" in architecture else _wide
    return keras.Model(inputs, space.logits(x, architecture, classes), name="searched")
