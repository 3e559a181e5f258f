"""Reads FER+'s folders of pictures, each with its votes.

`FER2013Train/`, `FER2013Valid/` and `FER2013Test/` hold `fer0000000.png` and so on, and a
`label.csv` without a header: the picture's name, in older copies the face's box, ten votes.
The pictures have votes only, no label of FER-2013's.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from components.data.blocks import Block, Fault
from components.data.disk import reading
from components.data.faces import VOTE_FIELDS
from components.data.labels import NO_LABEL, VOTE_COLUMNS
from components.data.pictures import Listing, UnusableError, batched, inside, read_all, shown
from components.data.votes import vote, vote_fault
from components.settings import IngestSettings

FOLDERS = {"FER2013Train": "train", "FER2013Valid": "val", "FER2013Test": "test"}
LABELS = "label.csv"

_WIDTHS = (1 + len(VOTE_COLUMNS), 2 + len(VOTE_COLUMNS))


class FerplusFolders:
    """FER+'s folders below `path`; see `components/data/blocks.py`."""

    def __init__(self, path: Path, settings: IngestSettings):
        self.path = self.folder = path
        self.settings = settings
        self.taken: dict[str, str] = {}  # id to where it is listed first

    @classmethod
    def found(cls, folder: Path) -> list[str]:
        """What in `folder` shows this layout; nothing if it is another."""
        with reading(folder):
            return [name for name in FOLDERS if (folder / name / LABELS).is_file()]

    def count(self) -> int:
        return sum(1 for name in self.found(self.folder) for _ in self._rows(name))

    def blocks(self) -> Iterator[Block]:
        return read_all(self._listings(), self.settings.image_size, self.settings.colour)

    def _listings(self) -> Iterator[Listing]:
        for name in self.found(self.folder):
            for rows in batched(self._rows(name)):
                yield self._listing(name, rows)

    def _rows(self, name: str) -> Iterator[tuple[int, list[str]]]:
        path = self.folder / name / LABELS
        with reading(path), path.open("rb") as file:
            rows = csv.reader(io.TextIOWrapper(file, "utf-8-sig", errors="replace"))
            for cells in rows:
                if cells:
                    yield rows.line_num, cells

    def _listing(self, name: str, rows: list[tuple[int, list[str]]]) -> Listing:
        file = f"{name}/{LABELS}"
        good, faults = [], []
        for line, cells in rows:
            try:
                path = self._picture(name, cells)
            except UnusableError as bad:
                faults.append(Fault(file, line, bad.reason, bad.detail))
                continue
            self.taken[path.stem] = f"{file}, line {line}"
            good.append((path, line, [vote(cell) for cell in cells[-len(VOTE_COLUMNS) :]]))
        votes = list(zip(*(counts for *_, counts in good), strict=True)) or [()] * len(VOTE_FIELDS)
        columns = {
            "id": pa.array([path.stem for path, *_ in good], pa.string()),
            "split": pa.array([FOLDERS[name]] * len(good), pa.string()),
            "label": pa.array([NO_LABEL] * len(good), pa.int8()),
            **{f: pa.array(v, pa.int8()) for f, v in zip(VOTE_FIELDS, votes, strict=True)},
            "named": pa.array([True] * len(good), pa.bool_()),
            "source": pa.array([f"{file}:{line}" for _, line, _ in good], pa.string()),
        }
        return Listing(
            paths=[path for path, *_ in good],
            names=[shown(path.name) for path, *_ in good],
            places=[(file, line) for _, line, _ in good],
            table=pa.record_batch(columns),
            faults=faults,
        )

    def _picture(self, name: str, cells: list[str]) -> Path:
        """The picture of one row; a `UnusableError` if anything in the row is wrong."""
        if len(cells) not in _WIDTHS:
            widths = " or ".join(map(str, _WIDTHS))
            raise UnusableError("misshapen", f"it has {len(cells)} columns where FER+ has {widths}")
        for column, text in zip(VOTE_COLUMNS, cells[-len(VOTE_COLUMNS) :], strict=True):
            if vote(text) is None:
                raise UnusableError("votes", vote_fault(column, text))
        path = inside(self.folder / name, cells[0].strip())
        if path.stem in self.taken:
            raise UnusableError(
                "id", f"{shown(path.name)} stands already in {self.taken[path.stem]}"
            )
        return path
