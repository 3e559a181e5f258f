"""SMOTE and ADASYN on faces: imbalanced-learn decides, the pixels never pass through it.

Both make a face between two of one class: the pixels of one, and a share of the way to the
other's. The library would do that on a matrix of all pixels, of which it holds several copies,
and in the matrix's own type: on uint8 it wraps around and is silently wrong. Here it is given
the identity matrix, so that what it returns is the recipe of each new face: two faces and a share.
The neighbours that it asks for are looked up in the pixels, exactly, by matrix products.

Sources: N. Chawla et al., *SMOTE* (2002); H. He et al., *ADASYN* (2008).
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from imblearn.over_sampling import ADASYN, SMOTE
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from components.errors import InputError

_CHUNK = 256  # faces whose distances to all others are held at once
_SPARE = 8  # candidates beyond the wanted ones that are measured exactly
_MIDDLE = 128  # grey level that is taken off, so that products of pixels stay small

Lookup = Callable[[np.ndarray], np.ndarray]


def recipes(
    method: str, labels: np.ndarray, lookup: Lookup, neighbours: int, seed: int
) -> pd.DataFrame:
    """Decides which faces to make so that all classes are about as large as the largest.

    Args:
        method: `smote` or `adasyn`.
        labels: (N,) int8.
        lookup: From (n,) indices into `labels` to (n, H, W) uint8 faces; a plain function.
        neighbours: How many nearest faces of its class a face may be mixed with.
        seed: Makes the choice repeatable.

    Returns:
        M rows: `one` and `other` (int64 indices into `labels`), `share` (float64, of the
        other) and `label` (int8). A class that lacks too few faces for ADASYN to share out
        has none.

    Raises:
        InputError: If a class has too few faces, or the method cannot work on these.
    """
    known, counts = np.unique(labels, return_counts=True)
    if counts.min() <= neighbours:
        raise InputError(
            f"balance.method {method} needs more faces of each class than balance.neighbours "
            f"({neighbours}), but one has {counts.min()}; lower balance.neighbours."
        )
    nearest = PixelNeighbours(neighbours + 1, lookup)  # the face itself is the first
    faces = sparse.identity(len(labels), format="csr")

    def resample(grown: list[int]) -> tuple[sparse.csr_matrix, np.ndarray]:
        goal = dict.fromkeys(grown, int(counts.max()))
        sampler = (
            SMOTE(sampling_strategy=goal, k_neighbors=nearest, random_state=seed)
            if method == "smote"
            else ADASYN(sampling_strategy=goal, n_neighbors=nearest, random_state=seed)
        )
        return sampler.fit_resample(faces, labels)

    smaller = known[counts < counts.max()].tolist()
    try:
        mixed, classes = resample(smaller)
    except (RuntimeError, ValueError) as error:
        # ADASYN gives all up for one class whose few missing faces round to none a face.
        able = [label for label in smaller if _works(lambda one=label: resample([one]))]
        if not able:
            raise InputError(
                f"balance.method {method} cannot be used on these faces "
                f"({str(error).split('.')[0].lower()}); choose another."
            ) from error
        mixed, classes = resample(able)
    made = mixed[len(labels) :].tocsr()
    made.sort_indices()
    one, other = made.indices[made.indptr[:-1]], made.indices[made.indptr[1:] - 1]
    share = np.where(one == other, 0.0, made.data[made.indptr[1:] - 1])
    columns = {"one": one.astype(np.int64), "other": other.astype(np.int64), "share": share}
    return pd.DataFrame(columns | {"label": classes[len(labels) :]})


def _works(call: Callable[[], object]) -> bool:
    try:
        call()
    except (RuntimeError, ValueError):
        return False
    return True


def mix(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Makes faces between two: (n, H, W) uint8 twice and (n,) float64 to (n, H, W) uint8."""
    share = share.reshape(-1, *[1] * (one.ndim - 1)).astype(np.float32)
    mixed = one + share * (other.astype(np.float32) - one)
    return np.rint(mixed).astype(np.uint8)


class PixelNeighbours(NearestNeighbors):
    """Exact nearest neighbours by Euclidean distance of the pixels, for imbalanced-learn.

    It is fitted and asked with rows of the identity matrix, which name faces. All distances
    come from one matrix product in single precision; the best few are then measured again in
    whole numbers, which is several times faster than double precision throughout.

    Args:
        n_neighbors: How many to find, the face itself included.
        lookup: As of `recipes`.
    """

    def __init__(self, n_neighbors: int = 5, lookup: Lookup | None = None) -> None:
        super().__init__(n_neighbors=n_neighbors)
        self.lookup = lookup

    def fit(self, X: sparse.csr_matrix, y: None = None) -> "PixelNeighbours":  # noqa: N803
        """Remembers the faces to search among."""
        self._faces = self._pixels(X.indices)
        self._squares = np.einsum("ij,ij->i", self._faces, self._faces)
        return self

    def kneighbors(self, X: sparse.csr_matrix, return_distance: bool = False) -> np.ndarray:  # noqa: N803
        """(n, n_neighbors) int64 places among the fitted faces, the nearest first."""
        parts = range(0, X.shape[0], _CHUNK)
        return np.concatenate([self._nearest(X.indices[s : s + _CHUNK]) for s in parts])

    def _nearest(self, rows: np.ndarray) -> np.ndarray:
        faces = self._pixels(rows)
        distance = faces @ self._faces.T
        distance *= -2
        distance += self._squares
        wanted = min(self.n_neighbors + _SPARE, len(self._faces)) - 1
        likely = np.sort(np.argpartition(distance, wanted, axis=1)[:, : wanted + 1], axis=1)
        exact = np.array(
            [
                np.square(self._faces[near] - face).sum(axis=1, dtype=np.float64)
                for face, near in zip(faces, likely, strict=True)
            ]
        )
        order = np.argsort(exact, axis=1, kind="stable")[:, : self.n_neighbors]
        return np.take_along_axis(likely, order, axis=1)

    def _pixels(self, rows: np.ndarray) -> np.ndarray:
        flat = self.lookup(rows).reshape(len(rows), -1).astype(np.float32)
        flat -= _MIDDLE
        return flat
