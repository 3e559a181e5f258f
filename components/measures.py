"""What can be measured on a face without a network: for slices, the prediction log and drift.

The service measures with this too, so it imports nothing but NumPy and OpenCV.
"""

from collections.abc import Sequence

import cv2
import numpy as np

SIDE = 24  # pixels that an embedding looks at
NUMBERS = 16  # of an embedding
# Fixed for good, or embeddings could not be compared; NumPy never changes what RandomState draws.
_PROJECTION = np.random.RandomState(2013).normal(0, 1 / SIDE, (SIDE * SIDE, NUMBERS))


def measures(images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Measures faces.

    Args:
        images: N faces of uint8, each (H, W), (H, W, 1) or (H, W, 3).

    Returns:
        (N,) float64 each: `brightness` (mean grey level), `contrast` (its standard deviation)
        and `sharpness` (log of the variance of the Laplacian, Pech-Pacheco et al. 2000,
        divided by that of the grey levels so that contrast alone does not count).
    """
    rows = []
    for grey in map(_grey, images):
        detail = cv2.Laplacian(grey, cv2.CV_64F).var()
        rows.append((grey.mean(), grey.std(), np.log((detail + 1) / (grey.var() + 1))))
    columns = np.array(rows, np.float64).reshape(-1, 3).T
    return dict(zip(("brightness", "contrast", "sharpness"), columns, strict=True))


def embed(images: Sequence[np.ndarray]) -> np.ndarray:
    """Puts what faces look like into a few numbers, apart from brightness and contrast.

    A fixed random projection keeps distances between faces about as they are (Johnson &
    Lindenstrauss, 1984). It needs no network, so that it means the same whatever model answers.

    Args:
        images: As for `measures`.

    Returns:
        (N, 16) float32, each number about standard normal.
    """
    flat = np.empty((len(images), SIDE * SIDE))
    for row, grey in zip(flat, map(_grey, images), strict=True):
        small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        row[:] = small.ravel()
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= flat.std(axis=1, keepdims=True) + 1
    return (flat @ _PROJECTION).astype(np.float32)


def _grey(image: np.ndarray) -> np.ndarray:
    if image.ndim == 3 and image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return image.reshape(image.shape[:2])
