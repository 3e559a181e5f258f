"""EigenFaces: a face as its coordinates along the directions in which faces differ most.

M. Turk and A. Pentland, *Eigenfaces for Recognition* (1991); the randomised algorithm for the
components is that of N. Halko, P.-G. Martinsson and J. Tropp, *Finding Structure with
Randomness* (2011).
"""

import numpy as np
from sklearn.decomposition import PCA


def describe(faces: np.ndarray, training: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Describes faces by their principal components.

    Args:
        faces: (N, H, W) uint8.
        training: (N,) bool, the faces to find the components of.
        components: How many, at most.
        seed: Of the randomised algorithm.

    Returns:
        (N, D) float32, whitened: each component has unit variance over the training faces.
    """
    pixels = faces.reshape(len(faces), -1).astype(np.float32)
    # Each face to zero mean and unit contrast, or the first components would be about light.
    pixels -= pixels.mean(axis=1, keepdims=True)
    pixels /= pixels.std(axis=1, keepdims=True) + 1e-6
    count = min(components, training.sum() - 1, pixels.shape[1])
    pca = PCA(count, whiten=True, svd_solver="randomized", random_state=seed)
    return pca.fit(pixels[training]).transform(pixels)
