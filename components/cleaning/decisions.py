"""The reviewer's word, which overrides the machine's: a CSV file, a face a line.

    id,decision,label,comment
    fer0000017,keep,,a child's drawing of a face
    fer0000121,drop,,only an ear
    fer0000205,relabel,sad,

Faces of the training split alone: no decision changes what a model is measured on.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from components.data.disk import reading
from components.data.labels import NO_LABEL
from components.errors import InputError

COLUMNS = ("id", "decision", "label", "comment")
DECISIONS = ("keep", "drop", "relabel")


@dataclass(frozen=True)
class Decisions:
    """What a reviewer decided on each of N faces.

    Attributes:
        kept: (N,) bool, faces to keep or relabel.
        dropped: (N,) bool.
        relabelled: (N,) int8 new labels, -1 for none.
        comments: (N,) str.
    """

    kept: np.ndarray
    dropped: np.ndarray
    relabelled: np.ndarray
    comments: np.ndarray


def no_decisions(count: int) -> Decisions:
    """Returns the decisions of a reviewer who has decided nothing."""
    none = np.zeros(count, bool)
    labels, comments = np.full(count, NO_LABEL, np.int8), np.full(count, "", object)
    return Decisions(none, none.copy(), labels, comments)


def read_decisions(
    path: Path, table: pd.DataFrame, labels: np.ndarray, names: tuple[str, ...]
) -> Decisions:
    """Reads a decisions file.

    Args:
        path: The file, UTF-8, with a header line.
        table: The N faces, with columns `id` and `split`.
        labels: (N,) int8, -1 for none.
        names: Of the label set's classes.

    Raises:
        InputError: If the file is missing or damaged, or a line of it cannot be followed.
    """
    decisions = no_decisions(len(table))
    rows = dict(zip(table["id"], range(len(table)), strict=True))
    seen: dict[str, int] = {}
    for line, (name, decision, label, comment) in _lines(path):
        row = rows.get(name)
        fault = _fault(decision, label, names)
        if row is None:
            fault = f"there is no face {name[:40]!r}"
        elif name in seen:
            fault = f"{name} has a decision already, in line {seen[name]}"
        elif decision != "keep" and table["split"].iat[row] != "train":
            split = table["split"].iat[row]
            fault = fault or f"{name} is in the {split} split, which no decision changes"
        elif decision == "keep" and labels[row] == NO_LABEL:
            fault = f"{name} has no label to keep it with; relabel it"
        if fault:
            raise InputError(f"{path}, line {line}: {fault}; mend or remove that line.")
        seen[name] = line
        decisions.comments[row] = comment
        decisions.dropped[row] = decision == "drop"
        decisions.kept[row] = decision != "drop"
        if decision == "relabel":
            decisions.relabelled[row] = names.index(label)
    return decisions


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    if not path.is_file():
        raise InputError(f"{path} is missing; put it there, or set clean.decisions to null.")
    with reading(path), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        if header != list(COLUMNS):
            raise InputError(f"{path}, line 1 must be the header {','.join(COLUMNS)}.")
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    for line, cells in rows:
        if len(cells) != len(COLUMNS):
            raise InputError(
                f"{path}, line {line}: it has {len(cells)} columns where the header has "
                f"{len(COLUMNS)}; put a comment that has commas in quotes."
            )
    return rows


def _fault(decision: str, label: str, names: tuple[str, ...]) -> str | None:
    if decision not in DECISIONS:
        return f"the decision is {decision[:20]!r}, not one of {', '.join(DECISIONS)}"
    if decision == "relabel" and label not in names:
        return f"the label is {label[:20]!r}, not one of {', '.join(names)}"
    if decision != "relabel" and label:
        return f"a label goes with relabel, not with {decision}"
    return None
