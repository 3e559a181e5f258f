"""Reads a table of pictures, one row a face: AffectNet, RAF-DB, CK+, or one's own.

`ingest.columns` says what its columns are called. It needs the pictures' paths, which start
in the table's own folder, and labels or votes; it may have a split, a group (such as the
person) that no two made splits share, and an id. Votes are columns called as FER+ calls them
(`neutral`, `happiness`, …, `unknown`, `NF`); those left out count as zero. All other columns,
such as age or gender, are kept as they are.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from components.data import tables
from components.data.blocks import Block, Fault
from components.data.faces import VOTE_FIELDS
from components.data.foreign import fold, label_codes, split_name
from components.data.labels import LABEL_SETS, NO_LABEL, VOTE_COLUMNS
from components.data.pictures import Listing, UnusableError, inside, read_all, shown
from components.data.votes import vote, vote_fault
from components.errors import InputError
from components.settings import IngestSettings

_OURS = {"id", "split", "label", *VOTE_FIELDS, "named", "group", "path", "source"}
_EMOTIONS = LABEL_SETS["ferplus"]


class Manifest:
    """The pictures that the table at `path` lists; see `components/data/blocks.py`."""

    def __init__(self, path: Path, settings: IngestSettings):
        self.path = path
        self.folder = path.parent
        self.settings = settings
        self.columns = settings.columns
        self.codes = label_codes(settings.label_map)
        self.header = [name or f"unnamed {place}" for place, name in enumerate(tables.header(path))]
        self.votes = [column for column in VOTE_COLUMNS if column in self.header]
        known = {*self.columns.model_dump().values(), *self.votes}
        self.others = [name for name in self.header if name not in known]
        self._check_header()
        self.repeats: dict[int, int] = {}  # a line with the id of an earlier one, and that one

    def count(self) -> int | None:
        return tables.count(self.path)

    def blocks(self) -> Iterator[Block]:
        self.repeats = self._repeats()
        return read_all(self._listings(), self.settings.image_size, self.settings.colour)

    def _check_header(self) -> None:
        if self.columns.path not in self.header:
            raise InputError(
                f"{self.path} has no column {self.columns.path!r} with the pictures' paths; "
                "add one, or say in ingest.columns what it is called."
            )
        if self.columns.label not in self.header and not set(_EMOTIONS) & set(self.votes):
            raise InputError(
                f"{self.path} has neither a column {self.columns.label!r} nor votes (columns "
                f"{', '.join(VOTE_COLUMNS)}); add one, or say in ingest.columns what it is called."
            )
        for name in self.header:
            if self.header.count(name) > 1:
                raise InputError(f"{self.path} has two columns {name!r}; rename one of them.")
            if name in _OURS and name in self.others:
                raise InputError(
                    f"{self.path} has a column {name!r}, which mien would overwrite; rename it, "
                    "or say in ingest.columns what it is."
                )

    def _repeats(self) -> dict[int, int]:
        column = self.columns.id if self.columns.id in self.header else self.columns.path
        lines, digests = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
        for rows in tables.read(self.path, self.header):
            ids = np.array(tables.texts(rows.batch, column), object)
            lines.append(np.array(rows.lines, np.int64))
            digests.append(pd.util.hash_array(ids, categorize=False))
        lines, digests = np.concatenate(lines), np.concatenate(digests)
        _, first, place = np.unique(digests, return_index=True, return_inverse=True)
        first = first[place]
        later = np.flatnonzero(first != np.arange(len(first)))
        return dict(zip(lines[later].tolist(), lines[first[later]].tolist(), strict=True))

    def _listings(self) -> Iterator[Listing]:
        for rows in tables.read(self.path, self.header):
            yield self._listing(rows)

    def _listing(self, rows: tables.Rows) -> Listing:
        used = [*self.columns.model_dump().values(), *self.votes]
        cells = {column: tables.texts(rows.batch, column) for column in used}
        faults = [
            self._fault(
                line, "misshapen", f"it has {n} columns where the header has {len(self.header)}"
            )
            for line, n in rows.misshapen.items()
        ]
        faces, places = [], []
        for place, line in enumerate(rows.lines):
            try:
                faces.append(self._face(line, {c: column[place] for c, column in cells.items()}))
                places.append(place)
            except UnusableError as bad:
                faults.append(self._fault(line, bad.reason, bad.detail))
        lines = [rows.lines[place] for place in places]
        return Listing(
            paths=[self.folder / face["path"] for face in faces],
            names=[shown(face["path"]) for face in faces],
            places=[(self.path.name, line) for line in lines],
            table=self._table(faces, lines, rows.batch.take(pa.array(places, pa.int64()))),
            faults=faults,
        )

    def _face(self, line: int, cells: dict[str, str]) -> dict[str, object]:
        """What one row says of its face; a `UnusableError` if anything in it is wrong."""
        path = cells[self.columns.path]
        inside(self.folder, path)
        has_ids = self.columns.id in self.header
        if line in self.repeats:
            same = "id" if has_ids else "path"
            raise UnusableError("id", f"line {self.repeats[line]} has the same {same}")
        identity = cells[self.columns.id] if has_ids else path
        if not identity:
            raise UnusableError("id", "its id is empty")
        counts = [vote(fold(cells[c])) if c in self.votes else 0 for c in VOTE_COLUMNS]
        if None in counts:
            column = VOTE_COLUMNS[counts.index(None)]
            raise UnusableError("votes", vote_fault(column, cells[column]))
        return {
            "id": identity,
            "split": self._split(cells[self.columns.split]),
            "label": self._label(cells[self.columns.label]),
            "votes": counts,
            "group": cells[self.columns.group] or None,
            "path": path,
        }

    def _split(self, text: str) -> str | None:
        split = split_name(text)
        if text and split is None:
            raise UnusableError("split", f"split is {text[:20]!r}, not train, val or test")
        return split

    def _label(self, text: str) -> int:
        if not text and self.votes:
            return NO_LABEL
        if fold(text) not in self.codes:
            raise UnusableError(
                "label", f"label is {text[:20]!r}, which is not in ingest.label_map"
            )
        return self.codes[fold(text)]

    def _table(
        self, faces: list[dict[str, object]], lines: list[int], batch: pa.RecordBatch
    ) -> pa.RecordBatch:
        kinds = {"id": pa.string(), "split": pa.string(), "label": pa.int8()}
        columns = {name: pa.array([f[name] for f in faces], kind) for name, kind in kinds.items()}
        if self.votes:
            votes = np.array([face["votes"] for face in faces], np.int8)
            votes = votes.reshape(-1, len(VOTE_FIELDS)).T
            columns |= {field: pa.array(v) for field, v in zip(VOTE_FIELDS, votes, strict=True)}
            columns["named"] = pa.array([True] * len(faces), pa.bool_())
        kept = ("path", "group") if self.columns.group in self.header else ("path",)
        columns |= {name: pa.array([f[name] for f in faces], pa.string()) for name in kept}
        columns |= {name: batch[name] for name in self.others}
        sources = [f"{self.path.name}:{line}" for line in lines]
        return pa.record_batch(columns | {"source": pa.array(sources, pa.string())})

    def _fault(self, line: int, reason: str, detail: str) -> Fault:
        return Fault(self.path.name, line, reason, detail)
