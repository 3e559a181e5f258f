"""Label sets, and the rules that turn FER+ votes into one label a face.

Light on purpose: serving imports it. FER-2013 has one label a picture; FER+ (Barsoum
et al., 2016) has ten taggers a picture, who vote for eight emotions, *unknown* or
*NF* (not a face). Published figures differ in how they turn votes into a label, so
all three rules in use are here, and every result names its own.
"""

import numpy as np

LABEL_SETS: dict[str, tuple[str, ...]] = {
    "fer2013": ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
    "ferplus": (
        "neutral",
        "happiness",
        "surprise",
        "sadness",
        "anger",
        "disgust",
        "fear",
        "contempt",
    ),
}
VOTE_COLUMNS: tuple[str, ...] = (*LABEL_SETS["ferplus"], "unknown", "NF")
SPLITS: tuple[str, ...] = ("train", "val", "test")
NO_LABEL = -1
TARGET = "target_"  # columns of a class distribution that training aims at: target_anger …
# Columns of a member's logits under each test-time augmentation: anger, flip_anger …
TTA = {"none": "", "flip": "flip_", "two_scales": "two_scales_"}

_EMOTIONS = len(LABEL_SETS["ferplus"])
_NOT_A_FACE = VOTE_COLUMNS.index("NF")


def report(votes: np.ndarray) -> np.ndarray:
    """The most voted of all ten columns; none where *unknown* or *NF* wins.

    Args:
        votes: (N, 10) integers, columns as in `VOTE_COLUMNS`. Of equals the first wins.

    Returns:
        (N,) int8 labels of the set `ferplus`, -1 for none.
    """
    top = votes.argmax(axis=1)
    return _labels(top, (top < _EMOTIONS) & (votes.max(axis=1) > 0))


def named(votes: np.ndarray, has_name: np.ndarray) -> np.ndarray:
    """The most voted of the eight emotions, on rows that have an image name.

    A named row without any vote for an emotion (FER+ has three) counts as neutral,
    as the first of equals; the published counts include these rows.

    Args:
        votes: (N, 10) integers, columns as in `VOTE_COLUMNS`. Of equals the first wins.
        has_name: (N,) bool.

    Returns:
        (N,) int8 labels of the set `ferplus`, -1 for none.
    """
    return _labels(votes[:, :_EMOTIONS].argmax(axis=1), has_name)


def majority(votes: np.ndarray) -> np.ndarray:
    """The rule of Barsoum et al.'s own code: a true majority once single votes are gone.

    Args:
        votes: (N, 10) integers, columns as in `VOTE_COLUMNS`.

    Returns:
        (N,) int8 labels of the set `ferplus`, -1 for none.
    """
    shared = np.where(votes > 1, votes, 0)
    top = shared.argmax(axis=1)
    won = 2 * shared.max(axis=1).astype(np.int64) > shared.sum(axis=1)
    return _labels(top, won & (top < _EMOTIONS))


def ferplus(rule: str, votes: np.ndarray, has_name: np.ndarray) -> np.ndarray:
    """Applies the rule called `report`, `named` or `majority`; see there."""
    match rule:
        case "report":
            return report(votes)
        case "named":
            return named(votes, has_name)
        case "majority":
            return majority(votes)
    raise ValueError(f"{rule!r} is not a FER+ rule")


def vote_shares(rule: str, votes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Soft targets: how the taggers' votes divide among the eight emotions.

    The cross-entropy with them is what Barsoum et al. (2016) train on as *PLD* and *CEL*.

    Args:
        rule: `majority` does not count single votes, as where it makes labels.
        votes: (N, 10) integers, columns as in `VOTE_COLUMNS`.
        labels: (N,) int8; a face without a vote that counts is all its label's.

    Returns:
        (N, 8) float32 distributions; zeros for a face without label.
    """
    counted = np.where(votes > 1, votes, 0) if rule == "majority" else votes
    counted = counted[:, :_EMOTIONS].astype(np.float32)
    total = counted.sum(axis=1, keepdims=True)
    own = np.eye(_EMOTIONS, dtype=np.float32)[labels]
    shares = np.where(total > 0, counted / np.maximum(total, 1), own)
    return np.where(labels[:, None] == NO_LABEL, 0, shares).astype(np.float32)


def not_a_face(votes: np.ndarray) -> np.ndarray:
    """Where *NF* is the most voted of all ten columns: (N, 10) integers to (N,) bool."""
    return votes.argmax(axis=1) == _NOT_A_FACE


def _labels(top: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return np.where(valid, top, NO_LABEL).astype(np.int8)
