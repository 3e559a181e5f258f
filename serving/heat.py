"""Where the ensemble looked: how much its answer loses when a part of the face is hidden.

It needs nothing of the networks but their answers, so it holds for whatever was packaged.
Sources: Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (2014), section
4.2, for hiding; Zintgraf et al., "Visualizing Deep Neural Network Decisions" (2017), equation 3,
for the weight of evidence, which still differs where a probability has come close to 1.
"""

import numpy as np

GRID = 8  # parts a side
PATCH = 0.25  # what is hidden at a time, as a share of the face's side; neighbours overlap
_SMALLEST = 1e-12


def hidden(face: np.ndarray) -> np.ndarray:
    """Copies a face with one part after another painted in its mean colour.

    Args:
        face: (H, W, C) uint8.

    Returns:
        (GRID², H, W, C) uint8; parts from left to right, then from the top.
    """
    copies = np.repeat(face[None], GRID**2, axis=0)
    colour = face.mean(axis=(0, 1)).astype(np.uint8)
    for index, copy in enumerate(copies):
        row, column = divmod(index, GRID)
        copy[_part(row, face.shape[0]), _part(column, face.shape[1])] = colour
    return copies


def evidence(whole: np.ndarray, answers: np.ndarray, label: int) -> np.ndarray:
    """Returns how much each part speaks for a label.

    Args:
        whole: (C,) probabilities for the face.
        answers: (GRID², C) the same with a part hidden.
        label: Index of the class.

    Returns:
        (GRID, GRID) weight of evidence in bits: the log odds of the label that are lost with the
        part; negative where it speaks against it.
    """
    return (_log_odds(whole, label) - _log_odds(answers, label)).reshape(GRID, GRID)


def _log_odds(probabilities: np.ndarray, label: int) -> np.ndarray:
    own = probabilities[..., label].astype(np.float64)
    # 1 - own would round to 0 where the ensemble is sure.
    others = np.delete(probabilities, label, axis=-1).sum(axis=-1, dtype=np.float64)
    return np.log2(np.maximum(own, _SMALLEST)) - np.log2(np.maximum(others, _SMALLEST))


def _part(cell: int, length: int) -> slice:
    middle, half = (cell + 0.5) * length / GRID, PATCH * length / 2
    return slice(max(round(middle - half), 0), round(middle + half))
