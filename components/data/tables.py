"""Reads a table, CSV (plain or compressed) or Parquet, some rows at a time with their lines."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.data.archives import ENDINGS, open_csv
from components.data.disk import reading
from components.data.pictures import LISTED, batched

_PARQUET = ".parquet"
_ENDINGS = (*(f".csv{ending}" for ending in ENDINGS), _PARQUET)
_LONGEST = 1 << 16  # bytes of a CSV's header


@dataclass(frozen=True)
class Rows:
    """Some consecutive rows.

    Attributes:
        lines: n line numbers; of Parquet row numbers from 1.
        batch: n rows; all columns of a CSV are text.
        misshapen: Lines without a cell for every column, and how many they have.
    """

    lines: list[int]
    batch: pa.RecordBatch
    misshapen: dict[int, int]


def is_table(path: Path) -> bool:
    """Whether a file's ending is one of a table."""
    return path.name.endswith(_ENDINGS)


def header(path: Path) -> list[str]:
    """The names of the columns; empty for an empty file.

    Raises:
        InputError: If the file is damaged.
    """
    with reading(path):
        if path.suffix == _PARQUET:
            return pq.read_schema(path).names
        with open_csv(path, (path.stem,)) as file:
            text = file.readline(_LONGEST).decode("utf-8-sig", errors="replace")
        return [name.strip() for name in next(csv.reader([text]), [])]


def count(path: Path) -> int | None:
    """The number of rows, where that is known without reading them."""
    with reading(path):
        return pq.read_metadata(path).num_rows if path.suffix == _PARQUET else None


def read(path: Path, names: list[str]) -> Iterator[Rows]:
    """Reads a table; memory stays bounded by `LISTED` rows.

    Args:
        path: The file.
        names: What to call its columns.

    Raises:
        InputError: If the file is damaged.
    """
    with reading(path):
        yield from _parquet(path, names) if path.suffix == _PARQUET else _csv(path, names)


def texts(batch: pa.RecordBatch, column: str) -> list[str]:
    """The cells of a column as text, without outer spaces; of a missing column, blanks."""
    if column not in batch.schema.names:
        return [""] * len(batch)
    return [_text(value) for value in batch[column].to_pylist()]


def _parquet(path: Path, names: list[str]) -> Iterator[Rows]:
    line = 1
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(LISTED):
            batch.validate(full=True)
            numbers = list(range(line, line + len(batch)))
            yield Rows(numbers, batch.rename_columns(names), {})
            line += len(batch)


def _csv(path: Path, names: list[str]) -> Iterator[Rows]:
    schema = pa.schema([(name, pa.string()) for name in names])
    with open_csv(path, (path.stem,)) as file:
        rows = csv.reader(io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline=""))
        next(rows, None)
        for some in batched((rows.line_num, cells) for cells in rows if cells):
            whole = [(line, cells) for line, cells in some if len(cells) == len(names)]
            cells = np.array([cells for _, cells in whole], object).reshape(-1, len(names))
            batch = pa.record_batch([pa.array(c, pa.string()) for c in cells.T], schema=schema)
            misshapen = {line: len(cells) for line, cells in some if len(cells) != len(names)}
            yield Rows([line for line, _ in whole], batch, misshapen)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bytes():
            return value.decode("utf-8", errors="replace").strip()
        case float() if value.is_integer():  # Pandas' integers beside missing ones
            return str(int(value))
        case float() if value != value:
            return ""
    return str(value).strip()
