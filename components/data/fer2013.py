"""Reads FER-2013's CSV layout, and FER+'s votes beside it, block by block.

`fer2013.csv` has the columns `emotion` (0 to 6), `pixels` (space-separated grey levels,
a square number of them) and `Usage`, in any order; `icml_face_data.csv` is the same
with spaces in the header. Both come plain, .gz, .xz, .zst or .zip.
"""

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import csv as arrow_csv

from components.data import pixels
from components.data.archives import find, open_csv
from components.data.blocks import Block, Fault
from components.data.disk import reading
from components.data.faces import VOTE_FIELDS
from components.data.labels import LABEL_SETS
from components.data.pictures import fit
from components.data.votes import NAMES as VOTE_NAMES
from components.data.votes import read_votes
from components.errors import InputError
from components.settings import IngestSettings

NAMES = ("fer2013.csv", "icml_face_data.csv")
COLUMNS = ("emotion", "pixels", "Usage")
USAGES = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}

_CODES = {str(code): code for code in range(len(LABEL_SETS["fer2013"]))}
# Bytes read at once, so also the longest possible line; more would not fit in the cache.
_BLOCK = 1 << 20


class Fer2013:
    """The faces of one CSV file; see `components/data/blocks.py`.

    FER+'s votes beside the file are checked against it row by row; a row whose votes are
    bad is bad.
    """

    def __init__(self, path: Path, settings: IngestSettings):
        self.path = path
        self.folder = path.parent
        self.settings = settings
        votes_file = find(path.parent, VOTE_NAMES)
        self.votes = read_votes(votes_file) if votes_file else None
        # Where the reading stands:
        self.line = 1
        self.rows = 0
        self.pixels: int | None = None
        self.misshapen: dict[int, str] = {}  # lines that Arrow left out, not passed yet

    def count(self) -> int | None:
        return len(self.votes) if self.votes else None

    def blocks(self) -> Iterator[Block]:
        for batch in _batches(self.path, self._leave_out):
            if not len(batch):  # all of its lines were misshapen
                continue
            # Arrow makes an empty line a row of nothing; it has a line number, but is no row.
            present = sum(np.asarray(pc.binary_length(column)) for column in batch.columns) > 0
            lines, rows, faults = self._number(present)
            if not present.all():
                batch = batch.filter(pa.array(present))
            yield self._block(batch, lines, rows, faults)
        if self.misshapen:
            self.rows += len(self.misshapen)
            none = np.empty(0, np.int64)
            table = self._table([], [], none, none)
            yield Block(np.empty((0, 0, 0), np.uint8), table, self._faults({}, self.misshapen))
        if self.votes is not None and self.rows != len(self.votes.usages):
            raise self._mismatch(self.rows)

    def _leave_out(self, row: arrow_csv.InvalidRow) -> str:
        # Arrow counts from 1 below the header, and may be a block ahead of `blocks`.
        self.misshapen[row.number + 1] = (
            f"it has {row.actual_columns} columns where the header has {row.expected_columns}"
        )
        return "skip"

    def _number(self, present: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
        """Numbers the next lines that Arrow kept.

        Args:
            present: (n,) bool, which of them are rows.

        Returns:
            Line numbers and row numbers of those, and the misshapen lines passed.
        """
        left_out = np.array(sorted(self.misshapen), np.int64)
        lines = self.line + 1 + np.arange(len(present) + len(left_out))
        lines = np.setdiff1d(lines, left_out, assume_unique=True)[: len(present)]
        left_out_before = np.searchsorted(left_out, lines)
        rows = self.rows + np.cumsum(present) - 1 + left_out_before  # they are rows, too
        passed = left_out[: left_out_before[-1]].tolist()
        self.line = int(lines[-1])
        self.rows += int(np.count_nonzero(present)) + len(passed)
        return lines[present], rows[present], {line: self.misshapen.pop(line) for line in passed}

    def _block(
        self, batch: pa.RecordBatch, lines: np.ndarray, rows: np.ndarray, misshapen: dict[int, str]
    ) -> Block:
        emotions, texts, usages = (batch[column] for column in COLUMNS)
        emotions, usages = _words(emotions), _words(usages)
        self._check_alignment(usages, lines, rows)
        self.pixels = self.pixels or pixels.common_size(texts)
        wrong = {
            place: fault
            for place, row in enumerate(rows.tolist())
            if (fault := self._fault(emotions[place], usages[place], row))
        }
        images = self._images(texts)
        if images is None:
            for place, text in enumerate(texts.to_pylist()):
                if fault := pixels.fault(text, self.pixels):
                    wrong.setdefault(place, ("pixels", fault))
        good = [place for place in range(len(rows)) if place not in wrong]
        if wrong:
            images = self._images(texts.take(pa.array(good, pa.int64())))
        table = self._table(
            [_CODES[emotions[place]] for place in good],
            [USAGES[usages[place]] for place in good],
            rows[good],
            lines[good],
        )
        wrong = {int(lines[place]): fault for place, fault in wrong.items()}
        images = fit(images, self.settings.image_size, self.settings.colour)
        return Block(images, table, self._faults(wrong, misshapen))

    def _table(
        self, labels: list[int], splits: list[str], rows: np.ndarray, lines: np.ndarray
    ) -> pa.RecordBatch:
        columns = {
            "id": pa.array([f"fer{row:07d}" for row in rows], pa.string()),
            "split": pa.array(splits, pa.string()),
            "label": pa.array(labels, pa.int8()),
        }
        if self.votes is not None:
            votes = self.votes.counts[rows].T
            columns |= {field: pa.array(v) for field, v in zip(VOTE_FIELDS, votes, strict=True)}
            columns["named"] = pa.array(self.votes.named[rows])
        columns["source"] = pa.array([f"{self.path.name}:{line}" for line in lines], pa.string())
        return pa.record_batch(columns)

    def _faults(self, wrong: dict[int, tuple[str, str]], misshapen: dict[int, str]) -> list[Fault]:
        wrong = wrong | {line: ("misshapen", detail) for line, detail in misshapen.items()}
        return [Fault(self.path.name, line, *fault) for line, fault in sorted(wrong.items())]

    def _images(self, texts: pa.Array) -> np.ndarray | None:
        """(n, H, W) uint8 of n rows; None if a row is bad."""
        side = math.isqrt(self.pixels or 0)
        if not len(texts):
            return np.empty((0, side, side), np.uint8)
        decoded = pixels.decode(texts)
        if decoded is None or self.pixels is None or (decoded[1] != self.pixels).any():
            return None
        return decoded[0].reshape(-1, side, side)

    def _fault(self, emotion: str, usage: str, row: int) -> tuple[str, str] | None:
        if emotion not in _CODES:
            known = f"an integer from 0 to {len(_CODES) - 1}"
            return "label", f"emotion is {emotion[:20]!r}, not {known}"
        if usage not in USAGES:
            return "split", f"Usage is {usage[:20]!r}, not {', '.join(USAGES)}"
        if self.votes and row in self.votes.faults:
            return "votes", self.votes.faults[row]
        return None

    def _check_alignment(self, usages: list[str], lines: np.ndarray, rows: np.ndarray) -> None:
        if self.votes is None:
            return
        for usage, line, row in zip(usages, lines.tolist(), rows.tolist(), strict=True):
            if row >= len(self.votes.usages):
                raise self._mismatch("more")
            voted = self.votes.usages[row]
            if voted != usage and usage in USAGES and row not in self.votes.faults:
                raise InputError(
                    f"{self.votes.path}, line {self.votes.lines[row]} has Usage {voted!r} where "
                    f"{self.path}, line {line} has {usage!r}; get the two that belong together."
                )

    def _mismatch(self, rows: int | str) -> InputError:
        return InputError(
            f"{self.votes.path} has {len(self.votes.usages)} rows where {self.path} has {rows}; "
            "get the two that belong together."
        )


def _batches(path: Path, leave_out: Callable) -> Iterator[pa.RecordBatch]:
    """The three columns as bytes, some lines at a time; misshapen lines go to `leave_out`."""
    with reading(path), open_csv(path, NAMES) as file:
        header = file.readline(_BLOCK).decode("utf-8-sig", errors="replace")
        read_options = arrow_csv.ReadOptions(
            use_threads=False,  # no faster, and only so are misshapen lines numbered
            block_size=_BLOCK,
            column_names=_column_names(path, header),
        )
        parse_options = arrow_csv.ParseOptions(
            ignore_empty_lines=False, invalid_row_handler=leave_out
        )
        convert_options = arrow_csv.ConvertOptions(
            include_columns=COLUMNS, column_types=dict.fromkeys(COLUMNS, pa.binary())
        )
        try:
            with arrow_csv.open_csv(file, read_options, parse_options, convert_options) as batches:
                yield from batches
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):  # a header and nothing else
                return
            raise InputError(
                f"{path} has a line of more than {_BLOCK} bytes or an unclosed quote; "
                "mend it there."
            ) from error


def _column_names(path: Path, header: str) -> list[str]:
    names = [name.strip() for name in next(csv.reader([header]), [])]
    for column in COLUMNS:
        if column not in names:
            raise InputError(
                f"{path}, line 1 has no column {column!r}; "
                f"name the columns {', '.join(COLUMNS)}, in any order."
            )
    return names


def _words(column: pa.Array) -> list[str]:
    return [word.decode("utf-8", errors="replace").strip() for word in column.to_pylist()]
