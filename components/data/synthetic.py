"""Faces that are in no data set: how those that `balance` makes are read beside the real ones.

`training.parquet` counts on: its rows below N point into `faces.npy`, row N + i points to the
i-th face of `synthetic.npy`, which is only there if `balance` made any.
"""

from pathlib import Path

import numpy as np

from components.data.disk import reading

FILE = "synthetic.npy"


class Joined:
    """Two arrays of faces that are indexed by rows as if they were one.

    Args:
        real: (N, ...) uint8, mapped from disk or not.
        synthetic: (M, ...) uint8.
    """

    def __init__(self, real: np.ndarray, synthetic: np.ndarray) -> None:
        self.real = real
        self.synthetic = synthetic

    def __len__(self) -> int:
        return len(self.real) + len(self.synthetic)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        made = rows >= len(self.real)
        faces = np.empty((len(rows), *self.real.shape[1:]), self.real.dtype)
        faces[~made] = self.real[rows[~made]]
        faces[made] = self.synthetic[rows[made] - len(self.real)]
        return faces


def training_images(images: np.ndarray, training: Path) -> np.ndarray | Joined:
    """What the rows of `training.parquet` point into.

    Args:
        images: (N, ...) uint8, the face set's.
        training: The folder that `balance` wrote.

    Raises:
        InputError: If the synthetic faces cannot be read.
    """
    path = training / FILE
    if not path.is_file():
        return images
    with reading(path):
        return Joined(images, np.load(path, mmap_mode="r"))
