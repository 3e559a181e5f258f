"""The embedded data set in memory, and a picture to see it by."""

from dataclasses import dataclass

import cv2
import numpy as np

from components.drawn.parameters import EXPRESSIONS, SIZE


@dataclass(frozen=True)
class DrawnSet:
    """The whole set in memory; N rows, training rows first."""

    pictures: np.ndarray  # (N, 48, 48) uint8
    split: np.ndarray  # (N,) int, places in SPLITS
    label: np.ndarray  # (N,) int, FER-2013's codes 0 to 6, as a labeller gave them
    votes: np.ndarray  # (N, 10) int, columns VOTES
    expression: np.ndarray  # (N,) int, places in EXPRESSIONS: what was drawn
    intensity: np.ndarray  # (N,) float, 0 to 1
    kind: np.ndarray  # (N,) str, of KINDS, or "" for a row without a planted defect
    partner: np.ndarray  # (N,) int, the row that this one repeats, or -1
    true_label: np.ndarray  # (N,) int, -1 for a non-face


def contact_sheet(drawn: DrawnSet, columns: int = 9) -> np.ndarray:
    """A picture to see the set by: expressions from faint to strong, then planted defects.

    Returns:
        (H, W) uint8: a title, a row for each of `EXPRESSIONS` with the intensity under each face,
        and a row of defects, pairs side by side.
    """
    rows = []
    for code, name in enumerate(EXPRESSIONS):
        own = np.flatnonzero((drawn.expression == code) & (drawn.kind == ""))
        own = own[np.argsort(drawn.intensity[own], kind="stable")]
        even = [own[i * (len(own) - 1) // (columns - 1)] for i in range(columns) if len(own)]
        plain = name == "neutral"  # nothing to grade
        rows.append((name, [(r, "" if plain else f"{drawn.intensity[r]:.2f}") for r in even]))
    rows.append(("planted", _planted_examples(drawn)[:columns]))
    cell, caption, left, top = 2 * SIZE, 16, 86, 30
    shape = (top + len(rows) * (cell + caption), left + columns * (cell + 8))
    sheet = np.full(shape, 255, np.uint8)
    _write(sheet, "mien's embedded faces: drawn intensity rises from left to right", 6, 20, 0.5)
    for i, (name, examples) in enumerate(rows):
        y = top + i * (cell + caption)
        _write(sheet, name, 6, y + cell // 2, 0.45)
        for j, (row, text) in enumerate(examples):
            x = left + j * (cell + 8)
            sheet[y : y + cell, x : x + cell] = drawn.pictures[row].repeat(2, 0).repeat(2, 1)
            _write(sheet, text, x, y + cell + 11, 0.34)
    return sheet


def _planted_examples(drawn: DrawnSet) -> list[tuple[int, str]]:
    """Rows with captions: some non-faces, then one of each other defect with its partner."""
    examples = [(row, "no face") for row in np.flatnonzero(drawn.kind == "non_face")[1:4]]
    for kind, name in (("leak", "leak"), ("near_copy", "near copy")):
        for row in np.flatnonzero(drawn.kind == kind)[:1]:
            partner = drawn.partner[row]
            examples += [(row, name), (partner, f"of {row_id(partner)}")]
    for row in np.flatnonzero(drawn.kind == "wrong_label")[:2]:
        examples.append((row, f"labelled {EXPRESSIONS[drawn.label[row]]}"))
    return examples


def _write(sheet: np.ndarray, text: str, x: int, y: int, size: float) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, 0, 1, cv2.LINE_AA)


def row_id(row: int) -> str:
    """The id of a row, as `truth.csv` and FER+'s image names give it."""
    return f"fer{row:07d}"
