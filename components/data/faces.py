"""A face set on disk: a folder with `faces.npy` and `faces.parquet`, row by row the same faces.

`faces.npy` is uint8, (N, H, W) grey or (N, H, W, 3) RGB, mapped into memory and never read
whole. `faces.parquet` has

| column | type | |
|---|---|---|
| `id` | str | unique; `fer{row:07d}` for FER-2013, else the data's own or the path |
| `split` | str | `train`, `val` or `test` |
| `label` | int8 | code in the label set `fer2013`, -1 for none |
| `vote_{column}` | int8 | one for each of `VOTE_COLUMNS`; only with FER+ votes |
| `named` | bool | whether FER+ gives the row an image name; only with FER+ votes |
| `path` | str | the picture, as a table of pictures names it; only from one |
| `group` | str | what must not be parted by a split, such as a person; null for none |
| `source` | str | `file:line`, or the picture's path, that the face came from |

and whatever else a table of pictures says of each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.lib import format as npy

from components.data.disk import reading
from components.data.labels import VOTE_COLUMNS
from components.errors import InputError

IMAGES, TABLE = "faces.npy", "faces.parquet"
VOTE_FIELDS = tuple(f"vote_{column}" for column in VOTE_COLUMNS)


@dataclass(frozen=True)
class FaceSet:
    """Faces and what is known about each.

    Attributes:
        images: (N, H, W) or (N, H, W, 3) uint8, mapped from disk.
        table: N rows, columns as in the module's docstring.
    """

    images: np.ndarray
    table: pd.DataFrame

    @classmethod
    def open(cls, folder: Path) -> "FaceSet":
        """Opens the face set in `folder`.

        Raises:
            InputError: If a file is missing or damaged, or the two do not match.
        """
        for path in (folder / IMAGES, folder / TABLE):
            if not path.is_file():
                raise InputError(f"{path} is missing; run the ingest step first.")
        with reading(folder / IMAGES):
            images = np.load(folder / IMAGES, mmap_mode="r")
        with reading(folder / TABLE):
            table = pd.read_parquet(folder / TABLE)
        shaped = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
        if not shaped or images.dtype != np.uint8 or len(images) != len(table):
            raise InputError(
                f"{folder / IMAGES} holds {images.dtype} {images.shape} where {folder / TABLE} "
                f"has {len(table)} rows; run the ingest step again."
            )
        return cls(images, table)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one face; C is 1 for grey, 3 for RGB."""
        return (*self.images.shape[1:], 1)[:3]

    @property
    def votes(self) -> np.ndarray | None:
        """(N, 10) int8 FER+ votes in the order of `VOTE_COLUMNS`; None without votes."""
        if VOTE_FIELDS[0] not in self.table:
            return None
        return self.table[list(VOTE_FIELDS)].to_numpy()


def write_images(path: Path, blocks: Iterable[np.ndarray]) -> None:
    """Writes blocks of faces, one after another, as one `.npy` file.

    Ordinary sequential writes: on a full disk a writable memory map would kill the
    process (SIGBUS), a write raises an `OSError`.

    Args:
        path: The file to write.
        blocks: (n, H, W) or (n, H, W, 3) uint8 arrays, n varying.
    """
    count, size = 0, ()
    with path.open("wb") as file:
        for block in blocks:
            if not size:
                size = block.shape[1:]
                _write_header(file, (0, *size))
            file.write(np.ascontiguousarray(block))
            count += len(block)
        # NumPy pads the header so that the first axis can grow in place.
        file.seek(0)
        _write_header(file, (count, *size))


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(file, header)
