"""Scores what `clean` found against what was planted, where that is known.

`truth.csv` (`components/synthesize.py` writes one) has the columns `id, kind, partner,
true_label`; a face that it does not list has no defect.
"""

from pathlib import Path

import pandas as pd

from components.data.disk import reading
from components.errors import InputError
from components.settings import CleanSettings

FILE = "truth.csv"
COLUMNS = ("id", "kind", "partner")
# Each planted kind, the setting that looks for it, and the reasons that it is found for. Copies
# count by the pair: which of the two a rule drops is its own affair.
# Wrong and conflicting labels are planted among FER-2013's; where the votes make the labels, a
# planted conflict is a copy like others, or the other way round.
FOUND_AS = {
    "non_face": ("non_faces", ("non_face", "blank", "undetected")),
    "copy": ("duplicates", ("duplicate",)),
    "leak": ("leaks", ("leak",)),
    "near_copy": ("near_copies", ("near_copy", "near_leak", "near_conflict")),
    "conflict": ("conflicts", ("conflict",)),
    "wrong_label": ("mislabels", ("mislabel",)),
}


def score(path: Path, quarantine: pd.DataFrame, settings: CleanSettings) -> dict[str, float]:
    """Compares the findings with the truth.

    Args:
        path: The truth file.
        quarantine: Findings with the columns `id`, `reason` and `partner`.
        settings: What was looked for.

    Returns:
        For each planted kind that was looked for `truth.{kind}.recall` and, where anything
        was found as one, `truth.{kind}.precision`.

    Raises:
        InputError: If the file is damaged or lacks a column.
    """
    with reading(path):
        truth = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [name for name in COLUMNS if name not in truth]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}; it needs {', '.join(COLUMNS)}.")
    sought = FOUND_AS
    if settings.label_set != "fer2013":
        truth = truth.replace({"kind": {"conflict": "copy"}})
        sought = {kind: FOUND_AS[kind] for kind in ("non_face", "leak", "near_copy")}
        sought["copy"] = ("duplicates", ("duplicate", "conflict"))
    metrics = {}
    for kind, (switch, reasons) in sought.items():
        if not getattr(settings, switch):
            continue
        planted = _pairs(truth[truth["kind"] == kind])
        found = _pairs(quarantine[quarantine["reason"].isin(reasons)])
        if planted:
            metrics[f"truth.{kind}.recall"] = len(planted & found) / len(planted)
        if found:
            metrics[f"truth.{kind}.precision"] = len(planted & found) / len(found)
    return metrics


def _pairs(rows: pd.DataFrame) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in zip(rows["id"], rows["partner"], strict=True)}
