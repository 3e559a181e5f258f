"""Near copies: the same photograph, cropped, lit or compressed a little differently.

A perceptual hash proposes pairs, the pixels decide. The hash alone would glue persons together:
FER-2013's faces are aligned, so thousands of different people are as few bits apart as a face
and its copy moved by a pixel. `benchmarks/near_copies.py` compares this with a comparison of
every pair on all pixels.

Source: the hash is pHash as in the package imagehash (N. Krawetz, *Looks Like It*, 2011), bit
for bit, but for all pictures at once.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

_HASH = 8  # bits a side
_RESIZED = 4 * _HASH
_THUMBNAIL = 8  # pixels a side
_MARGIN = 0.07  # how much better than their thumbnails two faces may correlate
_CHUNK = 1024


@dataclass(frozen=True)
class Pairs:
    """Pairs of faces that look the same.

    Attributes:
        first: (P,) int64 rows of the face set.
        second: (P,) int64 rows, each greater than its first.
        similarity: (P,) float64 correlations, -1 to 1.
    """

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray


def near_pairs(images: np.ndarray, rows: np.ndarray, radius: int, similarity: float) -> Pairs:
    """Finds all pairs of pictures that are nearly the same.

    Args:
        images: (N, H, W) or (N, H, W, 3) uint8, memory-mapped or not; colour is not looked at.
        rows: (n,) int64 indices of those to compare, ascending.
        radius: Bits of 64 by which the perceptual hashes of a pair may differ.
        similarity: Least correlation of the pixels, at the best of nine shifts by up to a pixel.

    Returns:
        The pairs in order of first, then second.
    """
    hashes, thumbnails = [np.empty(0, np.uint64)], []
    for part in _parts(len(rows)):
        grey = _grey(images[rows[part]])
        hashes.append(perceptual_hashes(grey))
        thumbnails += [_thumbnail(image) for image in grey]
    first, second = within(np.concatenate(hashes), radius)
    if not len(first):
        return Pairs(first, second, np.empty(0))
    unit = _standardised(np.array(thumbnails))
    likely = np.empty(len(first), bool)
    for part in _parts(len(first)):
        alike = np.einsum("ij,ij->i", unit[first[part]], unit[second[part]])
        likely[part] = alike >= similarity - _MARGIN
    first, second = rows[first[likely]], rows[second[likely]]
    alike = np.empty(len(first))
    for part in _parts(len(first)):
        one, other = (_grey(images[side[part]]) for side in (first, second))
        alike[part] = correlation(one, other)
    same = alike >= similarity
    return Pairs(first[same], second[same], alike[same])


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """imagehash.phash of each picture: (N, H, W) uint8 to (N,) uint64."""
    frequency, place = np.arange(_HASH), np.arange(_RESIZED)
    cosine = np.cos(np.pi * np.outer(frequency, 2 * place + 1) / (2 * _RESIZED))
    bits = np.empty((len(images), _HASH * _HASH), bool)
    for part in _parts(len(images)):
        small = np.array([_resized(image) for image in images[part]], np.float64)
        low = (cosine @ small @ cosine.T).reshape(len(small), -1)
        bits[part] = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def within(hashes: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds all pairs of (N,) uint64 hashes that differ in at most `radius` bits.

    Returns:
        (P,) int64 rows, and (P,) int64 greater rows, in order.
    """
    later = [
        row + 1 + np.flatnonzero(np.bitwise_count(hashes[row + 1 :] ^ hashes[row]) <= radius)
        for row in range(len(hashes))
    ]
    counts = [len(rows) for rows in later]
    return np.repeat(np.arange(len(hashes)), counts), np.concatenate([np.empty(0, int), *later])


def correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlation of pictures with others, at the best of nine shifts by up to a pixel.

    Args:
        one: (P, H, W) uint8.
        other: (P, H, W) uint8.

    Returns:
        (P,) float32, -1 to 1; 0 where a picture is constant.
    """
    height, width = (side - 2 for side in one.shape[1:])
    middle = _standardised(other[:, 1:-1, 1:-1])
    shifted = (
        _standardised(one[:, down : down + height, right : right + width])
        for down in range(3)
        for right in range(3)
    )
    return np.max([np.einsum("ij,ij->i", window, middle) for window in shifted], axis=0)


def _grey(images: np.ndarray) -> np.ndarray:
    """(n, H, W) or (n, H, W, 3) uint8 to (n, H, W) uint8."""
    if images.ndim == 3:
        return images
    return np.array([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])


def _resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((_RESIZED,) * 2, Image.Resampling.LANCZOS))


def _thumbnail(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)


def _standardised(images: np.ndarray) -> np.ndarray:
    """(N, H, W) to (N, H·W) float32 of mean 0 and length 1."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(length, 1e-6)


def _parts(count: int) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]
