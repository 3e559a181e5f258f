"""Byte-identical pictures: which faces are copies of one another."""

import hashlib

import numpy as np


def copy_groups(images: np.ndarray) -> np.ndarray:
    """Gives byte-identical pictures the same number.

    Args:
        images: (N, H, W) uint8.

    Returns:
        (N,) int64 group numbers from 0, in order of first appearance.
    """
    numbers: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    return np.array([numbers.setdefault(d, len(numbers)) for d in digests], np.int64)


def first_of_group(groups: np.ndarray, among: np.ndarray) -> np.ndarray:
    """For each face, the first face of its group that `among` holds.

    Args:
        groups: (N,) int64 group numbers.
        among: (N,) bool.

    Returns:
        (N,) int64 indices, -1 where the group has none.
    """
    first = np.full(groups.max(initial=-1) + 1, -1)
    rows = np.flatnonzero(among)[::-1]  # of several assignments the last one stays
    first[groups[rows]] = rows
    return first[groups]


def values_per_group(groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Counts the different values in each group.

    Args:
        groups: (n,) int64 group numbers.
        values: (n,) integers.

    Returns:
        (G,) int64 counts by group number.
    """
    pairs = np.unique(np.stack([groups, values], axis=1), axis=0)
    return np.bincount(pairs[:, 0])
