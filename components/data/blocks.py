"""What every reader gives: blocks of faces, and what is wrong with the rows left out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

REJECTED, CONVERTED = "rejected.csv", "converted.csv"  # what `ingest` left out, and changed

# Why a row or a picture cannot be used, by the name that it is counted under.
REASONS = {
    "misshapen": "a row with more or fewer columns than the header",
    "pixels": "pixel text that is not a square of grey levels",
    "label": "a label that is neither mien's nor in ingest.label_map",
    "split": "a split that is not train, val or test",
    "votes": "votes that are not small integers",
    "id": "an id, or without ids a path, that an earlier row has",
    "path": "no path, one that leaves its folder, or a name that is not UTF-8",
    "missing": "no such file",
    "folder": "a folder, or another thing that is no file, where a picture should be",
    "link_loop": "a symbolic link that leads back to itself",
    "empty": "a file of zero bytes",
    "unreadable": "not a picture, damaged, cut short, or without read permission",
    "animated": "several frames in one file",
    "range": "numbers whose black and white are unknown, as in 32-bit pictures",
    "huge": "more pixels than a photograph has (a decompression bomb)",
}

# What is done to an unusual picture so that it can be used, by the name that it is counted under.
CONVERSIONS = {
    "turned": "brought upright, as its EXIF orientation says",
    "cmyk": "from CMYK to RGB",
    "16_bit": "from 16 bits to the high byte of each",
    "alpha": "without its alpha channel",
    "first_picture": "the first of several in one file (MPO)",
}


@dataclass(frozen=True)
class Fault:
    """One row or picture that cannot be used.

    Attributes:
        file: The file, relative to the reader's folder.
        line: The line in it (of Parquet the row, from 1); None if the file is a picture.
        reason: One of `REASONS`.
        detail: What is wrong, in words that follow the file and the line.
    """

    file: str
    line: int | None
    reason: str
    detail: str


@dataclass(frozen=True)
class Block:
    """Some consecutive faces.

    Attributes:
        images: (n, H, W) uint8 grey or (n, H, W, 3) uint8 RGB.
        table: n rows, columns as in `components/data/faces.py`; `split` may be null. All
            blocks of a reader have the same schema.
        faults: What was left out near them.
        conversions: For each picture that was not used as it is, its file, its line as in a
            fault, and one of `CONVERSIONS`.
    """

    images: np.ndarray
    table: pa.RecordBatch
    faults: list[Fault]
    conversions: list[tuple[str, int | None, str]] = field(default_factory=list)


class Reader(Protocol):
    """A layout that was found.

    Attributes:
        path: The file or folder that it was found at, for messages.
        folder: The folder that the names in its faults are relative to.
    """

    path: Path
    folder: Path

    def count(self) -> int | None:
        """About how many faces there are, for the progress bar; None if that takes long."""

    def blocks(self) -> Iterator[Block]:
        """Reads the faces in a fixed order; memory stays bounded by the block.

        Raises:
            InputError: If the data as a whole are wrong, and not one row or picture.
        """
