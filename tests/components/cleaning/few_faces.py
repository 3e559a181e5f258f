"""A few faces that tests copy, blank and vote on, and `clean` with what it says of them."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from components.clean import clean
from components.data.labels import VOTE_COLUMNS
from components.settings import CleanSettings

ALL = CleanSettings(
    label_set="fer2013",
    rule="report",
    targets="hard",
    non_faces=True,
    blank_std=5.0,
    duplicates=True,
    leaks=True,
    conflicts=True,
    near_copies=True,
    hash_radius=16,
    similarity=0.95,
    mislabels=False,
    folds=2,
    seed=0,
    detector=None,
    detector_confidence=0.3,
    decisions=None,
)
OFF = {"non_faces": False, "duplicates": False, "leaks": False, "conflicts": False}
EXACT = {"near_copies": False}


class Faces:
    """One face of each class in training, validation and test; tests add and change some."""

    def __init__(self, make):
        self.make = make
        self.labels = list(range(7)) * 3
        self.splits = ["train"] * 7 + ["val"] * 7 + ["test"] * 7
        self.images = np.random.default_rng(3).integers(0, 256, (40, 8, 8), np.uint8)
        self.votes = None

    def add(self, split: str, label: int, like: int | None = None) -> int:
        """Adds a face, a copy of another if `like` says so, and returns its row."""
        row = len(self.labels)
        self.labels.append(label)
        self.splits.append(split)
        if like is not None:
            self.images[row] = self.images[like]
        return row

    def vote(self, **of_all: int) -> None:
        """Gives every face the same votes."""
        row = [of_all.get(column, 0) for column in VOTE_COLUMNS]
        self.votes = [list(row) for _ in self.labels]

    def write(self) -> Path:
        return self.make(self.labels, self.splits, self.images[: len(self.labels)], self.votes)


def run(faces: Faces, **changes) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """The metrics, the kept rows, and the quarantine by row."""
    folder = faces.write()
    out = folder.parent / "kept"
    metrics = clean(folder, out, ALL.model_copy(update=changes))
    quarantine = pd.read_csv(out / "quarantine.csv", index_col="row", keep_default_na=False)
    kept = pd.read_parquet(out / "kept.parquet").set_index("row")
    shutil.rmtree(folder)
    return metrics, kept, quarantine


def decide(tmp_path: Path, *lines: str) -> dict[str, str]:
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join(["id,decision,label,comment", *lines]) + "\n")
    return {"decisions": str(path)}
