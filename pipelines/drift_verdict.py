"""Whether faces differ from others, by what the prediction log has of them."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, ks_2samp

LABEL, DISTANCE = "label", "embedding_distance"
MEASURED = ["confidence", "brightness", "contrast", "sharpness"]
DETECTED = ["detection_score", "face_size"]  # not known of faces that came cut out


def with_distance(faces: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Adds how far each embedding lies from the reference's mean, in its standard deviations."""
    known, own = (np.stack(table["embedding"]) for table in (reference, faces))
    scaled = (own - known.mean(axis=0)) / (known.std(axis=0) + 1e-9)
    return faces.assign(**{DISTANCE: np.sqrt((scaled**2).mean(axis=1))})


def judge(window: pd.DataFrame, reference: pd.DataFrame, significance: float) -> dict[str, Any]:
    """Tests every column; an alarm is one that differs significantly.

    Args:
        window: The faces to judge, with their distance.
        reference: What they are compared with, with its distance.
        significance: How often a window without drift may raise an alarm. Each of the k columns
            gets a k-th of it (Bonferroni).

    Returns:
        `alarm`, `threshold`, and of each column `p`, `drifted`, and what it was and is: means,
        or shares of each label.
    """
    both = [name for name in DETECTED if name in reference and _known(window, reference, name)]
    numbers = [*MEASURED, DISTANCE, *both]
    threshold = significance / (len(numbers) + 1)
    shares = [
        table[LABEL].value_counts(normalize=True).round(4).to_dict()
        for table in (reference, window)
    ]
    columns = {LABEL: _column(mix_test(reference[LABEL], window[LABEL]), threshold, *shares)}
    for name in numbers:
        before, now = reference[name].astype(float), window[name].astype(float)
        means = (round(before.mean(), 4), round(now.mean(), 4))
        columns[name] = _column(ks_2samp(before, now).pvalue, threshold, *means)
    alarm = any(column["drifted"] for column in columns.values())
    return {"alarm": alarm, "threshold": threshold, "columns": columns}


def mix_test(one: pd.Series, other: pd.Series) -> float:
    """p of Pearson's chi-square for two samples of labels.

    Evidently's own takes the reference for the truth, so that a small one raises false alarms.
    """
    counts = pd.concat([one.value_counts(), other.value_counts()], axis=1).fillna(0)
    return float(chi2_contingency(counts.T)[1]) if len(counts) > 1 else 1.0


def _column(p: float, threshold: float, before: Any, now: Any) -> dict[str, Any]:
    return {"p": float(p), "drifted": bool(p < threshold), "before": before, "now": now}


def _known(window: pd.DataFrame, reference: pd.DataFrame, name: str) -> bool:
    return bool(window[name].notna().all() and reference[name].notna().all())
