"""Random changes to training faces that leave the expression what it is.

NumPy and OpenCV, outside the network: the same code feeds every Keras backend, and at
48 px it costs a few percent of a training step (`benchmarks/throughput.py`).
"""

import cv2
import numpy as np

from components.settings import AugmentSettings

ERASED_AREA = (0.02, 0.2)  # Zhong et al., "Random Erasing Data Augmentation" (2020), softened


def augment(faces: np.ndarray, settings: AugmentSettings, rng: np.random.Generator) -> np.ndarray:
    """Mirrors, moves, turns, scales, relights and partly hides faces.

    Args:
        faces: (N, H, W) or (N, H, W, C) uint8.
        settings: How far each change may go.
        rng: Source of randomness; the same state gives the same faces.

    Returns:
        Array of the same shape, float32, grey levels 0..255.
    """
    count, height, width = faces.shape[:3]
    out = np.empty(faces.shape, np.float32)
    for i, matrix in enumerate(_affine(count, height, width, settings, rng)):
        moved = cv2.warpAffine(faces[i], matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        out[i] = moved.reshape(faces.shape[1:])
    _relight(out, settings, rng)
    _erase(out, settings.erase, rng)
    return out


def _affine(
    count: int, height: int, width: int, settings: AugmentSettings, rng: np.random.Generator
) -> np.ndarray:
    """Draws (N, 2, 3) matrices that map a face's pixels to where they go."""
    angle = np.deg2rad(rng.uniform(-1, 1, count) * settings.rotate)
    scale = 1 + rng.uniform(-1, 1, count) * settings.zoom
    shift = rng.uniform(-1, 1, (count, 2)) * settings.shift * (width, height)
    mirror = np.where(settings.flip & (rng.random(count) < 0.5), -1, 1)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.stack([np.stack([cos * mirror, -sin], -1), np.stack([sin * mirror, cos], -1)], 1)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    move = centre - turn @ centre + shift
    return np.concatenate([turn, move[..., None]], axis=2)


def _relight(faces: np.ndarray, settings: AugmentSettings, rng: np.random.Generator) -> None:
    shape = (len(faces), *[1] * (faces.ndim - 1))
    contrast = 1 + rng.uniform(-1, 1, shape).astype(np.float32) * settings.contrast
    brightness = rng.uniform(-1, 1, shape).astype(np.float32) * settings.brightness
    middle = faces.mean(axis=tuple(range(1, faces.ndim)), keepdims=True)
    faces -= middle
    faces *= contrast
    faces += middle + brightness
    np.clip(faces, 0, 255, out=faces)


def _erase(faces: np.ndarray, probability: float, rng: np.random.Generator) -> None:
    height, width = faces.shape[1:3]
    for i in np.flatnonzero(rng.random(len(faces)) < probability):
        area = rng.uniform(*ERASED_AREA) * height * width
        ratio = np.exp(rng.uniform(np.log(0.4), np.log(2.5)))
        h = min(height, max(1, round(float(np.sqrt(area * ratio)))))
        w = min(width, max(1, round(float(np.sqrt(area / ratio)))))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        faces[i, top : top + h, left : left + w] = rng.uniform(0, 255)
