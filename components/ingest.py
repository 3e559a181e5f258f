"""Step `ingest`: reads raw face data, checks every row and picture, writes a face set.

In: any layout that `components/data/readers.py` knows.
Out: a face set (`components/data/faces.py`) and `rejected.csv`, the rows and pictures left out:
`file, line, reason, detail`; a header only if there are none. Pictures that were used after a
change (upright, from CMYK ...) are listed in `converted.csv`, if there are any: `file, line,
conversion`. Reasons and conversions are those of `components/data/blocks.py`. Everything streams
to disk; memory holds some hundred pictures, and some bytes of each face.
"""

import csv
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from components.data import readers, splits
from components.data.blocks import CONVERTED, REASONS, REJECTED, Fault, Reader
from components.data.faces import IMAGES, TABLE, VOTE_FIELDS, write_images
from components.data.labels import LABEL_SETS, NO_LABEL, SPLITS
from components.errors import InputError
from components.outputs import replacing
from components.settings import IngestSettings

CLASSES = LABEL_SETS["fer2013"]

_AS_READ = "as-read.arrow"
_ROW_GROUP = 1 << 12


def ingest(source: Path, out: Path, settings: IngestSettings) -> dict[str, float]:
    """Turns raw face data into a face set.

    Args:
        source: A file, or a folder with one known layout in it.
        out: The folder to write, whole or not at all.
        settings: What the data call things, how the faces should come out, and whether
            something bad ends the run or is left out.

    Returns:
        `rows`, `faces` and `rejected`, also as `rejected.{reason}`; `converted.{conversion}`
        where there are some; the number of faces of
        each split and class as `train.angry`; and `groups_in_several_splits`, by the data's
        own doing, if there are groups.

    Raises:
        InputError: If the data cannot be used, or `out` cannot be written.
    """
    reader = readers.reader(source, settings)
    with replacing(out) as fresh:
        seen = _Seen(reader, settings.strict)
        write_images(fresh / IMAGES, seen.pass_on(fresh))
        if not seen.faces:
            raise InputError(f"{reader.path} has no usable face; put a whole copy there.")
        labels, given, strata, groups = seen.columns()
        split = splits.complete(given, strata, groups, settings.split)
        metrics = _metrics(labels, split, groups, seen.rejected)
        metrics |= {f"converted.{kind}": count for kind, count in seen.converted.items()}
        if (labels != NO_LABEL).any():  # faces with votes only are for `clean` to check
            _check_classes(reader.path, metrics)
        _write_table(fresh / _AS_READ, fresh / TABLE, split)
        (fresh / _AS_READ).unlink()
        truth = reader.folder / "truth.csv"
        if truth.is_file():  # so that clean can score itself
            shutil.copyfile(truth, fresh / truth.name)
    return metrics


class _Seen:
    """What is remembered of every face until all are read: some bytes."""

    def __init__(self, reader: Reader, strict: bool):
        self.reader = reader
        self.strict = strict
        self.faces = 0
        self.rejected = Counter()
        self.converted = Counter()
        self._columns: list[tuple[np.ndarray, ...]] = []

    def pass_on(self, folder: Path) -> Iterator[np.ndarray]:
        """Writes down all of the reader's blocks but the images, which it yields."""
        total = self.reader.count()
        with (
            (folder / _AS_READ).open("wb") as rows_file,
            (folder / REJECTED).open("w", encoding="utf-8", newline="") as rejected_file,
            tqdm(total=total, desc="ingest", unit=" faces", disable=None) as progress,
        ):
            faults = csv.writer(rejected_file, lineterminator="\n")
            faults.writerow(("file", "line", "reason", "detail"))
            batches = None
            for block in self.reader.blocks():
                if self.strict and block.faults:
                    raise self._refusal(block.faults[0])
                faults.writerows((f.file, f.line, f.reason, f.detail) for f in block.faults)
                self.rejected.update(fault.reason for fault in block.faults)
                self._convert(folder / CONVERTED, block.conversions)
                progress.update(len(block.images) + len(block.faults))
                if len(block.images):
                    batches = batches or pa.ipc.new_stream(rows_file, block.table.schema)
                    batches.write_batch(block.table)
                    self._remember(block.table)
                    yield block.images
            if batches:
                batches.close()

    def _convert(self, path: Path, conversions: list[tuple[str, int | None, str]]) -> None:
        if conversions:
            with path.open("a", encoding="utf-8", newline="") as file:
                lines = csv.writer(file, lineterminator="\n")
                lines.writerows([] if self.converted else [("file", "line", "conversion")])
                lines.writerows(conversions)
        self.converted.update(kind for *_, kind in conversions)

    def _remember(self, table: pa.RecordBatch) -> None:
        self.faces += len(table)
        labels = table["label"].to_numpy()
        strata = labels
        if VOTE_FIELDS[0] in table.schema.names and (labels == NO_LABEL).any():
            votes = np.stack([table[field].to_numpy() for field in VOTE_FIELDS], axis=1)
            strata = np.where(labels == NO_LABEL, len(CLASSES) + votes.argmax(axis=1), labels)
        groups = np.zeros(len(table), np.uint64)
        if "group" in table.schema.names:
            named = np.asarray(table["group"].is_valid())
            names = np.array(table["group"].drop_null().to_pylist(), object)
            groups[named] = pd.util.hash_array(names, categorize=False) | np.uint64(1)
        split = pc.index_in(table["split"], pa.array(SPLITS)).fill_null(splits.NO_SPLIT)
        given = split.to_numpy().astype(np.int8)
        self._columns.append((labels.copy(), given, strata.astype(np.int8), groups))

    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of all faces: labels, given splits and strata, (N,) int8; groups, (N,) uint64."""
        return tuple(np.concatenate(parts) for parts in zip(*self._columns, strict=True))

    def _refusal(self, fault: Fault) -> InputError:
        place, kind = self.reader.folder / fault.file, "picture"
        if fault.line is not None:
            place, kind = f"{place}, line {fault.line}", "line"
        return InputError(
            f"{place}: {fault.detail}; mend or remove that {kind}, or set ingest.strict to false "
            f"to leave such {'rows' if kind == 'line' else 'pictures'} out."
        )


def _metrics(
    labels: np.ndarray, split: np.ndarray, groups: np.ndarray, rejected: Counter
) -> dict[str, float]:
    bad = rejected.total()
    metrics = {"rows": len(labels) + bad, "faces": len(labels), "rejected": bad}
    metrics |= {f"rejected.{reason}": rejected[reason] for reason in REASONS}
    if groups.any():
        metrics["groups_in_several_splits"] = splits.straddling(split, groups)
    return metrics | {
        f"{name}.{label}": int(np.count_nonzero((split == place) & (labels == code)))
        for place, name in enumerate(SPLITS)
        for code, label in enumerate(CLASSES)
    }


def _check_classes(path: Path, metrics: dict[str, float]) -> None:
    empty = [name for name in CLASSES if not metrics[f"train.{name}"]]
    if empty:
        raise InputError(
            f"{path} has no usable training face of class {', '.join(empty)}; every class needs "
            f"at least one, so add faces with the label {empty[0]} (or "
            f"{CLASSES.index(empty[0])}), or say in ingest.label_map what yours is called."
        )


def _write_table(source: Path, path: Path, split: np.ndarray) -> None:
    """Copies the rows, with the split of each."""
    with source.open("rb") as file, pa.ipc.open_stream(file) as batches:
        place = batches.schema.get_field_index("split")
        # Dictionaries of ids and paths, no two alike, would only cost memory.
        with pq.ParquetWriter(path, batches.schema, use_dictionary=["split"]) as writer:
            start = 0
            for table in _together(batches):
                codes = pa.array(split[start : start + len(table)])
                writer.write_table(table.set_column(place, "split", pa.array(SPLITS).take(codes)))
                start += len(table)


def _together(batches: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The rows in tables large enough for a row group each."""
    waiting, rows = [], 0
    for batch in batches:
        waiting.append(batch)
        rows += len(batch)
        if rows >= _ROW_GROUP:
            yield pa.Table.from_batches(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)
