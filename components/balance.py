"""Step `balance`: evens out the classes of the training split.

In: `kept.parquet` of `clean`. Out: `training.parquet`, one line a training example:
`row` (int64, index into `faces.npy`; repeated where a face is oversampled), `label`
(int8) and `weight` (float32, mean 1). Pixels are never touched.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from components.data.disk import reading
from components.data.labels import LABEL_SETS
from components.errors import InputError
from components.outputs import replacing
from components.settings import BalanceSettings


def balance(kept: Path, out: Path, settings: BalanceSettings) -> dict[str, float]:
    """Chooses and weighs the training examples.

    Args:
        kept: The folder that `clean` wrote.
        out: The folder to write, whole or not at all.
        settings: The method, and the seed of `random`.

    Returns:
        Examples of each class as `before.{class}` and `after.{class}`, and the weight
        of one example as `weight.{class}`.

    Raises:
        InputError: If `kept` cannot be read or `out` cannot be written.
    """
    path = kept / "kept.parquet"
    if not path.is_file():
        raise InputError(f"{path} is missing; run the clean step first.")
    with reading(path):
        table = pd.read_parquet(path, columns=["row", "split", "label"])
    names = LABEL_SETS[table.attrs["label_set"]]
    before = table.loc[table["split"] == "train", ["row", "label"]].reset_index(drop=True)
    after = before
    if settings.method == "random":
        after = before.iloc[oversampled(before["label"].to_numpy(), settings.seed)]
    labels = after["label"].to_numpy()
    weights = class_weights(labels) if settings.method == "class_weight" else np.ones(len(labels))
    with replacing(out) as fresh:
        after = after.assign(weight=weights.astype(np.float32))
        after.to_parquet(fresh / "training.parquet", index=False)
    return _metrics(names, before, after)


def oversampled(labels: np.ndarray, seed: int) -> np.ndarray:
    """Repeats random examples of each class until all have as many as the largest.

    Args:
        labels: (N,) int8.
        seed: Makes the choice repeatable.

    Returns:
        (M,) int64 indices into `labels`: all N, then the repeated ones.
    """
    from imblearn.over_sampling import RandomOverSampler  # takes 7 s to import

    sampler = RandomOverSampler(random_state=seed)
    sampler.fit_resample(np.arange(len(labels)).reshape(-1, 1), labels)
    return sampler.sample_indices_


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Weighs every class the same in sum, with mean 1: (N,) int8 to (N,) float64."""
    from sklearn.utils.class_weight import compute_sample_weight

    return compute_sample_weight("balanced", labels)


def _metrics(names: tuple[str, ...], before: pd.DataFrame, after: pd.DataFrame) -> dict[str, float]:
    weight = after.groupby("label")["weight"].first()
    return (
        {f"before.{name}": int((before["label"] == code).sum()) for code, name in enumerate(names)}
        | {f"after.{name}": int((after["label"] == code).sum()) for code, name in enumerate(names)}
        | {f"weight.{name}": float(weight[code]) for code, name in enumerate(names)}
    )
