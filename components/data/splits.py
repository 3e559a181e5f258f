"""Makes the splits that a data set comes without, so that no group stands on both sides."""

import warnings
from fractions import Fraction
from itertools import islice

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from components.data.labels import SPLITS
from components.errors import InputError
from components.settings import SplitSettings

NO_SPLIT = -1

_TRAIN, _VAL, _TEST = range(len(SPLITS))
_FINEST = 20  # equal parts that faces are dealt into, to take a whole number of them


def complete(
    given: np.ndarray, strata: np.ndarray, groups: np.ndarray, settings: SplitSettings
) -> np.ndarray:
    """Gives every face a split.

    A face given to validation or test stays there. One without a split joins the rest of its
    group, and otherwise training. If no face was given to validation, or none to test, that
    split is then taken from training.

    Args:
        given: (N,) int8 indices into `SPLITS`, -1 for none.
        strata: (N,) integers; each split gets its share of each, as far as groups allow.
        groups: (N,) uint64, equal for faces that must stay together; 0 for a face alone.
        settings: Shares of the faces to divide, and the seed.

    Returns:
        (N,) int8 indices into `SPLITS`.

    Raises:
        InputError: If the faces or groups are too few.
    """
    homeless = given == NO_SPLIT
    homes = pd.Series(given[~homeless], groups[~homeless])
    homes = homes[(homes.index > 0) & ~homes.index.duplicated()]
    split = given.copy()
    split[homeless] = homes.reindex(groups[homeless], fill_value=_TRAIN)

    share_left = 1.0
    for code, share in ((_TEST, settings.test), (_VAL, settings.val)):
        if not (given == code).any():
            pool = np.flatnonzero(split == _TRAIN)
            taken = _deal(share / share_left, strata[pool], groups[pool], settings.seed)
            if taken.all() or not taken.any():
                raise _too_few(SPLITS[code], len(pool))
            split[pool[taken]] = code
            share_left -= share
    return split


def straddling(split: np.ndarray, groups: np.ndarray) -> int:
    """Counts the groups that stand in more than one split."""
    pairs = np.unique(np.stack([groups, split.astype(np.uint64)], axis=1)[groups > 0], axis=0)
    return int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())


def _deal(share: float, strata: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """(n,) bool, about that share of n faces; all False if they are too few."""
    chosen = np.zeros(len(strata), bool)
    for rows in (np.flatnonzero(groups == 0), np.flatnonzero(groups > 0)):
        together = groups[rows] if groups[rows].any() else None
        chosen[rows[_some_folds(share, strata[rows], together, seed)]] = True
    return chosen


def _some_folds(
    share: float, strata: np.ndarray, groups: np.ndarray | None, seed: int
) -> np.ndarray:
    """(k,) int64 indices of about that share of the faces, by whole folds."""
    _, sizes = np.unique(strata, return_counts=True)
    most = min(sizes.max(initial=0), len(strata) if groups is None else len(np.unique(groups)))
    if most < 2:
        return np.empty(0, np.int64)
    parts = Fraction(share).limit_denominator(min(int(most), max(_FINEST, round(1 / share))))
    taken, count = (parts.numerator, parts.denominator) if parts else (1, int(most))
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = kind(count, shuffle=True, random_state=seed).split(strata, strata, groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes rarer than there are folds
        return np.concatenate([fold for _, fold in islice(folds, taken)])


def _too_few(split: str, faces: int) -> InputError:
    return InputError(
        f"The data name no {split} split, and their {faces} training faces or the groups among "
        f"them are too few to make one of; add faces, or say which are for {split}."
    )
