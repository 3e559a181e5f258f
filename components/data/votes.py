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
            row, fault = _counts(header, cells, places[2:])
            if fault:
                faults[len(usages)] = f"{path.name}, line {rows.line_num}: {fault}"
                cells = cells + [""] * len(header)  # so that every place exists
            usages.append(cells[places[0]].strip())
            named.append(bool(cells[places[1]].strip()))
            counts.append(row)
            lines.append(rows.line_num)
    table = np.array(counts, np.int8).reshape(-1, len(VOTE_COLUMNS))
    return Votes(path, usages, np.array(named, bool), table, lines, faults)


def vote(text: str) -> int | None:
    """The number of votes that a cell holds; None if it is no such number."""
    text = text.strip()
    number = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if number and int(text) <= _LARGEST else None


def vote_fault(column: str, text: str) -> str:
    """Says that a cell holds no number of votes."""
    return f"{column} has {text.strip()[:20]!r} votes, not an integer from 0 to {_LARGEST}"


def _place(path: Path, header: list[str], column: str) -> int:
    if column not in header:
        raise InputError(
            f"{path}, line 1 has no column {column!r}; FER+'s file has {', '.join(COLUMNS)}."
        )
    return header.index(column)


def _counts(header: list[str], cells: list[str], places: list[int]) -> tuple[list[int], str | None]:
    """The votes of a row, and what is wrong with them; they are then zeros."""
    nothing = [0] * len(places)
    if len(cells) != len(header):
        return nothing, f"it has {len(cells)} columns where the header has {len(header)}"
    counts = [vote(cells[place]) for place in places]
    if None in counts:
        place = places[counts.index(None)]
        return nothing, vote_fault(header[place], cells[place])
    return counts, None
