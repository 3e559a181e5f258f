"""Training examples made of two: mixup, CutMix, and labels drawn from votes."""

import numpy as np

from components.settings import MixSettings


def mix(
    faces: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    settings: MixSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mixes every face of a batch with another one of it, and their targets alike.

    mixup: H. Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2018), blends the grey
    levels. CutMix: S. Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers
    with Localizable Features" (2019), pastes a rectangle. The cross-entropy of what comes out is
    that of both faces, each by its share and its weight.

    Args:
        faces: (N, H, W, C) float32 grey levels.
        targets: (N, classes) float32 distributions.
        weights: (N,) float32.
        settings: Which of the two, and how evenly the shares divide.
        rng: Source of randomness.

    Returns:
        Faces, targets and weights of the same shapes and types.
    """
    other = rng.permutation(len(faces))
    share = rng.beta(settings.alpha, settings.alpha, len(faces)).astype(np.float32)
    if settings.method == "mixup":
        own = share[:, None, None, None]
        mixed = own * faces + (1 - own) * faces[other]
    else:
        mixed, share = _paste(faces, faces[other], share, rng)
    own, others = share * weights, (1 - share) * weights[other]
    total = own + others
    blended = own[:, None] * targets + others[:, None] * targets[other]
    return mixed, blended / np.maximum(total, 1e-12)[:, None], total


def drawn(targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws one label a face from its distribution, as if one tagger had been asked.

    E. Barsoum et al., "Training Deep Networks for Facial Expression Recognition with
    Crowd-Sourced Label Distribution" (2016), section 3.3, *probabilistic label drawing*.

    Args:
        targets: (N, classes) float32 distributions.
        rng: Source of randomness.

    Returns:
        (N, classes) float32, one 1 a row.
    """
    edges = targets.cumsum(axis=1)
    place = rng.random((len(targets), 1)) * edges[:, -1:]
    return np.eye(targets.shape[1], dtype=np.float32)[(place >= edges).sum(axis=1)]


def _paste(
    faces: np.ndarray, others: np.ndarray, share: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pastes a rectangle of each other face; returns the share that is left of each own one."""
    count, height, width = faces.shape[:3]
    side = np.sqrt(1 - share)[:, None] / 2 * (height, width)
    centre = rng.random((count, 2)) * (height, width)
    first = np.maximum(np.rint(centre - side), 0).astype(int)
    last = np.minimum(np.rint(centre + side), (height, width)).astype(int)
    mixed = faces.copy()
    for i, ((top, left), (bottom, right)) in enumerate(zip(first, last, strict=True)):
        mixed[i, top:bottom, left:right] = others[i, top:bottom, left:right]
    pasted = (last - first).prod(axis=1) / (height * width)
    return mixed, (1 - pasted).astype(np.float32)
