"""Answers in another label set than the model's own."""

from collections.abc import Sequence

import numpy as np

from components.data.labels import LABEL_SETS
from serving.problems import ProblemError

_FER2013 = {"anger": "angry", "happiness": "happy", "sadness": "sad"}  # FER+'s other names


def places(classes: Sequence[str], asked: str | None) -> dict[str, int]:
    """Returns the labels to answer, each with its place in the model's own answer.

    Args:
        classes: The model's.
        asked: A label set, or `None` for the model's own.

    Raises:
        ProblemError: If the model does not tell one of the labels.
    """
    if asked is None:
        return {name: place for place, name in enumerate(classes)}
    own = {_FER2013.get(name, name): place for place, name in enumerate(classes)}
    wanted = {name: _FER2013.get(name, name) for name in LABEL_SETS[asked]}
    if unknown := [name for name, same in wanted.items() if same not in own]:
        detail = f"label_set: the model of this service does not tell {', '.join(unknown)}."
        raise ProblemError("invalid-option", detail)
    return {name: own[same] for name, same in wanted.items()}


def among(probabilities: np.ndarray, chosen: dict[str, int]) -> np.ndarray:
    """Returns the probabilities of the chosen labels, given that it is one of them.

    Args:
        probabilities: (classes,), the model's own answer.
        chosen: As `places` returns it.
    """
    if len(chosen) == len(probabilities):
        return probabilities[list(chosen.values())]
    shares = np.maximum(probabilities[list(chosen.values())], np.finfo(np.float32).tiny)
    return shares / shares.sum()
