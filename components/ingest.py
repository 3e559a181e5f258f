"""Step `ingest`: reads raw face data, validates every row, writes a face set.

In: FER-2013's CSV and, if it is there, FER+'s votes (`components/data/fer2013.py`).
Out: a face set (`components/data/faces.py`) and `rejected.csv`, the rows left out with
their line number and reason; a header only if there are none.
"""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from components.data import fer2013
from components.data.faces import IMAGES, TABLE, VOTE_FIELDS, write_images
from components.data.labels import LABEL_SETS, SPLITS
from components.data.votes import Votes, read_votes
from components.errors import InputError
from components.outputs import replacing
from components.settings import IngestSettings

CLASSES = LABEL_SETS["fer2013"]


def ingest(source: Path, out: Path, settings: IngestSettings) -> dict[str, float]:
    """Turns raw face data into a face set.

    Args:
        source: `fer2013.csv`, or the folder that holds it, in any form that
            `fer2013.locate` knows.
        out: The folder to write, whole or not at all.
        settings: `strict` says whether a bad row ends the run or is left out.

    Returns:
        `rows`, `faces` and `rejected`, and the number of faces of each split and class
        as `train.angry`.

    Raises:
        InputError: If the data cannot be used, or `out` cannot be written.
    """
    faces_file, votes_file = fer2013.locate(source)
    votes = read_votes(votes_file) if votes_file else None
    rejected: dict[int, str] = {}
    tables: list[pd.DataFrame] = []

    def images() -> Iterator[np.ndarray]:
        for block in fer2013.read(faces_file, votes):
            if settings.strict and block.faults:
                raise _first_fault(faces_file, block.faults)
            rejected.update(sorted(block.faults.items()))
            if len(block.rows):
                tables.append(_table(block, faces_file.name, votes))
                yield block.images

    with replacing(out) as fresh:
        write_images(fresh / IMAGES, images())
        if not tables:
            raise InputError(f"{faces_file} has no usable row; put a whole copy there.")
        table = pd.concat(tables, ignore_index=True)
        metrics = _metrics(table, len(rejected))
        _check_classes(faces_file, metrics)
        table.to_parquet(fresh / TABLE, index=False)
        _write_rejected(fresh / "rejected.csv", rejected)
        truth = faces_file.parent / "truth.csv"
        if truth.is_file():  # so that clean can score itself
            shutil.copyfile(truth, fresh / truth.name)
    return metrics


def _table(block: fer2013.Block, name: str, votes: Votes | None) -> pd.DataFrame:
    columns = {
        "id": [f"fer{row:07d}" for row in block.rows],
        "split": block.splits,
        "label": np.array(block.labels, np.int8),
    }
    if votes is not None:
        columns |= dict(zip(VOTE_FIELDS, votes.counts[block.rows].T, strict=True))
        columns["named"] = votes.named[block.rows]
    return pd.DataFrame(columns | {"source": [f"{name}:{line}" for line in block.lines]})


def _metrics(table: pd.DataFrame, rejected: int) -> dict[str, float]:
    counts = table.groupby(["split", "label"]).size()
    return {"rows": len(table) + rejected, "faces": len(table), "rejected": rejected} | {
        f"{split}.{name}": int(counts.get((split, code), 0))
        for split in SPLITS
        for code, name in enumerate(CLASSES)
    }


def _check_classes(path: Path, metrics: dict[str, float]) -> None:
    empty = [name for name in CLASSES if not metrics[f"train.{name}"]]
    if empty:
        code = CLASSES.index(empty[0])
        raise InputError(
            f"{path} has no usable Training row of class {', '.join(empty)}; every class needs "
            f"at least one, so add rows whose emotion is {code}."
        )


def _first_fault(path: Path, faults: dict[int, str]) -> InputError:
    line = min(faults)
    return InputError(
        f"{path}, line {line}: {faults[line]}; mend or remove that line, "
        "or set ingest.strict to false to leave such rows out."
    )


def _write_rejected(path: Path, rejected: dict[int, str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("line", "reason"))
        rows.writerows(rejected.items())
