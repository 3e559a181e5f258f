"""What the members answered on the validation and test splits, read for those who score it."""

import hashlib
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from components.data.disk import reading
from components.data.labels import TTA
from components.errors import InputError

FILE = "predictions.parquet"
NETWORK = "model.keras"
SELECTED = "selected.keras"  # the network before its refit, if it had one
TESTS = {"test": "published split", "test_leak_free": "leak-free subset"}
SPLITS = ("val", *TESTS)
SHARED = ["row", "split", "label", "leaked", "learnt"]  # with the members' answers


def read_members(
    members: dict[str, Path], classes: tuple[str, ...], *, tta: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """Reads the predictions of all members.

    Args:
        members: For each member, the folder that `train` wrote.
        classes: Names of the classes, in label order.
        tta: Test-time augmentation, a key of `TTA`.

    Returns:
        The faces (row, split, label, leaked, and `learnt` where a member's refit has seen a
        validation face), and (M, N, C) float64 probabilities.

    Raises:
        InputError: If a file is missing or damaged, or the members' predictions are not of
            the same faces.
    """
    logits = {each: [prefix + name for name in classes] for each, prefix in TTA.items()}
    expected = [*SHARED, *chain.from_iterable(logits.values())]
    tables = {name: _read(folder / FILE) for name, folder in members.items()}
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if list(table) != expected or not table["row"].equals(first["row"]):
            raise InputError(
                f"{members[name]} predicts other faces or classes than the first member; "
                f"run `dvc repro` so that all members are of the same data."
            )
    chosen = np.stack([table[logits[tta]].to_numpy(np.float64) for table in tables.values()])
    learnt = np.any([table["learnt"] for table in tables.values()], axis=0)
    return first[SHARED].assign(learnt=learnt), softmax(chosen, axis=-1)


def unaware_of_validation(member: Path) -> Path:
    """Returns the file of a member's network that has not learnt the validation faces.

    Args:
        member: Folder that `train` wrote.
    """
    selected = member / SELECTED
    return selected if selected.exists() else member / NETWORK


def splits(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Returns (N,) masks of validation, the published test split, and its leak-free part."""
    test = (table["split"] == "test").to_numpy()
    val = (table["split"] == "val").to_numpy()
    return dict(zip(SPLITS, (val, test, test & ~table["leaked"].to_numpy()), strict=True))


def held_back(table: pd.DataFrame) -> np.ndarray:
    """Returns an (N,) mask of the validation faces that no refit has learnt.

    They are answered by the networks that are packaged, so that a temperature fits those.
    """
    return ((table["split"] == "val") & ~table["learnt"]).to_numpy()


def digest_of_test(table: pd.DataFrame, images: np.ndarray) -> str:
    """Names the test faces and their labels, so that two models can be said to share them.

    Args:
        table: Columns row, split and label.
        images: All faces, (N, H, W) or (N, H, W, 3) uint8; `row` points into them.

    Returns:
        A sha256 of pixels and labels, in their order.
    """
    test = table[table["split"] == "test"]
    digest = hashlib.sha256(test["label"].to_numpy(np.int8).tobytes())
    for row in test["row"]:
        digest.update(images[row].tobytes())
    return digest.hexdigest()


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} is missing; run `dvc repro` so that every member is trained.")
    with reading(path):
        return pd.read_parquet(path)
