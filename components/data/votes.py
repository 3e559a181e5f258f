"""Reads FER+'s votes (`fer2013new.csv`), row-aligned with `fer2013.csv`."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.data.archives import open_csv
from components.data.disk import reading
from components.data.labels import VOTE_COLUMNS
from components.errors import InputError

NAMES = ("fer2013new.csv",)
COLUMNS = ("Usage", "Image name", *VOTE_COLUMNS)

_LARGEST = np.iinfo(np.int8).max


@dataclass(frozen=True)
class Votes:
    """All rows of the file.

    Attributes:
        path: The file.
        usages: N values of the column `Usage`.
        named: (N,) bool, whether the row has an image name.
        counts: (N, 10) int8 votes in the order of `VOTE_COLUMNS`; 0 where they are bad.
        lines: N line numbers.
        faults: What is wrong with a row's votes, by row number from 0.
    """

    path: Path
    usages: list[str]
    named: np.ndarray
    counts: np.ndarray
    lines: list[int]
    faults: dict[int, str]

    def __len__(self) -> int:
        return len(self.usages)


def read_votes(path: Path) -> Votes:
    """Reads FER+'s votes.

    Raises:
        InputError: If the file is damaged or lacks a column.
    """
    usages, named, counts, lines = [], [], [], []
    faults: dict[int, str] = {}
    with reading(path), open_csv(path, NAMES) as file:
        rows = csv.reader(io.TextIOWrapper(file, "utf-8-sig", errors="replace"))
        header = [name.strip() for name in next(rows, [])]
        places = [_place(path, header, column) for column in COLUMNS]
        for cells in filter(None, rows):
            fault = _fault(header, cells, places[2:])
            if fault:
                faults[len(usages)] = f"{path.name}, line {rows.line_num}: {fault}"
                cells = cells + [""] * len(header)  # so that every place exists
            usages.append(cells[places[0]].strip())
            named.append(bool(cells[places[1]].strip()))
            counts.append([0] * len(VOTE_COLUMNS) if fault else [int(cells[p]) for p in places[2:]])
            lines.append(rows.line_num)
    table = np.array(counts, np.int8).reshape(-1, len(VOTE_COLUMNS))
    return Votes(path, usages, np.array(named, bool), table, lines, faults)


def _place(path: Path, header: list[str], column: str) -> int:
    if column not in header:
        raise InputError(
            f"{path}, line 1 has no column {column!r}; FER+'s file has {', '.join(COLUMNS)}."
        )
    return header.index(column)


def _fault(header: list[str], cells: list[str], places: list[int]) -> str | None:
    if len(cells) != len(header):
        return f"it has {len(cells)} columns where the header has {len(header)}"
    for place in places:
        vote = cells[place].strip()
        if not (vote.isascii() and vote.isdigit() and int(vote) <= _LARGEST):
            return f"{header[place]} has {vote[:20]!r} votes, not an integer from 0 to {_LARGEST}"
    return None
