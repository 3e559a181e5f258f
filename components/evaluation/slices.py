"""Parts of the test split on which a model may do worse: by light, sharpness, doubt, and people."""

import re

import numpy as np
import pandas as pd

from components.data.faces import VOTE_FIELDS
from components.data.labels import NO_LABEL, majority
from components.measures import measures

SMALLEST = 30  # faces; of fewer an interval says nothing
MOST = 12  # slices of a kind, the largest
_LEVELS = {
    "brightness": ("dark", "medium", "bright"),
    "contrast": ("flat", "medium", "strong"),
    "sharpness": ("blurred", "medium", "sharp"),
}
_THIRDS = ("low", "medium", "high")
# Columns of `faces.parquet` that identify a face or are what is predicted.
_NO_GROUPS = {"id", "path", "source", "split", "label", "named", *VOTE_FIELDS}


def slices(images: np.ndarray, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Parts faces by what can be measured on them and by what is said of them.

    Brightness, contrast, sharpness and further columns of numbers are cut into thirds; columns
    of few values, such as `gender` or a small set's `group`, give a slice a value. FER+'s votes
    tell the faces that its own code keeps, since most taggers agree, from the others.

    Args:
        images: (N, H, W) or (N, H, W, 3) uint8.
        table: N rows of `faces.parquet`, in the same order.

    Returns:
        `{"brightness.dark": (N,) bool, …}`, slices of at least 30 faces, from two to twelve of
        a kind.
    """
    parts: dict[str, np.ndarray] = {}
    for name, values in measures(images).items():
        parts |= _kind(name, _thirds(values, _LEVELS[name]))
    if set(VOTE_FIELDS) <= set(table):
        agreed = majority(table[list(VOTE_FIELDS)].to_numpy()) != NO_LABEL
        parts |= _kind("taggers", pd.Series(np.where(agreed, "majority", "divided")))
    for name in table.columns.difference(list(_NO_GROUPS), sort=False):
        values = table[name]
        if pd.api.types.is_float_dtype(values) or (
            pd.api.types.is_integer_dtype(values) and values.nunique() > len(values) // SMALLEST
        ):
            values = _thirds(values.to_numpy(np.float64, na_value=np.nan), _THIRDS)
        parts |= _kind(str(name), pd.Series(values).reset_index(drop=True))
    return parts


def _thirds(values: np.ndarray, names: tuple[str, str, str]) -> pd.Series:
    edges = np.nanquantile(values, [1 / 3, 2 / 3]) if len(values) else [0, 0]
    codes = np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="left"))
    return pd.Series(pd.Categorical.from_codes(codes, names, ordered=True))


def _kind(name: str, values: pd.Series) -> dict[str, np.ndarray]:
    counts = values.value_counts().head(MOST).sort_index()
    large = counts.index[counts >= SMALLEST]
    if len(large) < 2:
        return {}
    return {_plain(f"{name}.{value}"): (values == value).to_numpy(bool) for value in large}


def _plain(name: str) -> str:
    """Names are the data's own; MLflow takes few characters in a metric, and HTML has tags."""
    return re.sub(r"[^\w. -]", "_", name)[:80]
