"""What a number means here: the metrics of a split, with their intervals, in one schema.

A metrics file is flat JSON, `{"test.accuracy": 0.71, …}`. DVC, MLflow, the gate and the
README's table all read that; nothing else writes metrics.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_fscore_support

from components.outputs import write_text

BINS = 15  # of the calibration error, as in Guo et al. (2017)
SMALLEST = 1e-12  # probability, so that a log likelihood stays finite


def evaluate(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    *,
    bootstrap: int,
    seed: int,
) -> dict[str, float]:
    """Scores predictions on one split.

    Args:
        probabilities: (N, C) float, rows sum to one.
        labels: (N,) integers below C.
        classes: Names of the classes, in label order.
        bootstrap: Resamples behind the 95% intervals.
        seed: Seed of the resampling.

    Returns:
        `n`, `accuracy` and `macro_f1` with their `_low` and `_high`, `balanced_accuracy`,
        `nll`, `brier`, `ece`, and `precision.CLASS`, `recall.CLASS`, `f1.CLASS`.
    """
    predicted = probabilities.argmax(axis=1)
    counts = confusion(labels, predicted, len(classes))
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=range(len(classes)), zero_division=0
    )
    present = counts.sum(axis=1) > 0
    truth = np.eye(len(classes))[labels]
    scores = {
        "n": float(len(labels)),
        "accuracy": accuracy(probabilities, labels),
        "macro_f1": float(f1.mean()),
        "balanced_accuracy": float(recall[present].mean()),
        "nll": nll(probabilities, labels),
        "brier": float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        "ece": calibration_error(probabilities, labels),
    }
    scores |= _intervals(counts, bootstrap, seed)
    for name, values in {"precision": precision, "recall": recall, "f1": f1}.items():
        scores |= {f"{name}.{label}": float(v) for label, v in zip(classes, values, strict=True)}
    return scores


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Returns (C, C) counts; rows are labels, columns predictions."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of rows whose top class is the label."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def nll(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean negative log likelihood of the labels, in nats."""
    return float(nlls(probabilities, labels).mean())


def nlls(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the (N,) negative log likelihoods of the labels, in nats."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(chosen, SMALLEST))


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Bins predictions by confidence, for a reliability diagram.

    Args:
        probabilities: (N, C) float, rows sum to one.
        labels: (N,) integers below C.

    Returns:
        For each of the non-empty of 15 equal bins: its `count`, mean `confidence` and
        `accuracy`.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    filled = count > 0
    return {
        "count": count[filled],
        "confidence": np.bincount(bins, confidence, BINS)[filled] / count[filled],
        "accuracy": np.bincount(bins, right, BINS)[filled] / count[filled],
    }


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error of the top class (Guo et al. 2017, equation 3)."""
    bins = reliability(probabilities, labels)
    gap = np.abs(bins["confidence"] - bins["accuracy"])
    return float((bins["count"] * gap).sum() / len(labels))


@dataclass(frozen=True)
class Gains:
    """By how much one classifier's macro-F1 is above another's.

    Attributes:
        observed: On the faces as they are.
        samples: (B,), on resampled faces.
    """

    observed: float
    samples: np.ndarray


def macro_f1_gains(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, *, bootstrap: int, seed: int
) -> Gains:
    """Resamples the gain of the first classifier over the second, paired.

    Both answers to a face are drawn together. As for `evaluate`, drawing faces is the same as
    drawing the cells of the table that counts them, here by label and both answers.

    Args:
        labels: (N,) integers.
        first: (N,) predicted classes.
        second: (N,) predicted classes of the same faces.
        bootstrap: Resamples.
        seed: Of the resampling.

    Returns:
        The gains; classes that appear nowhere do not count.
    """
    known, codes = np.unique(np.stack([labels, first, second]), return_inverse=True)
    size = len(known)
    truth, ours, theirs = codes.reshape(3, -1)
    cells, counts = np.unique((truth * size + ours) * size + theirs, return_counts=True)
    total = counts.sum()
    draws = np.random.default_rng(seed).multinomial(total, counts / total, bootstrap)
    draws = np.concatenate([counts[None], draws])
    of, by_first, by_second = np.unravel_index(cells, (size, size, size))
    gains = _macro_f1(draws, of, by_first, size) - _macro_f1(draws, of, by_second, size)
    return Gains(float(gains[0]), gains[1:])


def _macro_f1(
    draws: np.ndarray, labels: np.ndarray, predicted: np.ndarray, size: int
) -> np.ndarray:
    """(B,) macro-F1 of (B, K) counts of cells whose (K,) labels and predictions are known."""
    classes = np.arange(size)[:, None]
    right = draws @ ((labels == classes) & (predicted == classes)).T
    both = draws @ ((labels == classes).astype(int) + (predicted == classes)).T
    return np.divide(2 * right, both, out=np.zeros(right.shape), where=both > 0).mean(axis=1)


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """McNemar's exact test of whether two classifiers err equally often on the same faces.

    Args:
        first: (N,) bool, where the first is right.
        second: (N,) bool, where the second is right.

    Returns:
        The two-sided p value; only faces that one alone has right count.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def _intervals(counts: np.ndarray, bootstrap: int, seed: int) -> dict[str, float]:
    """95% percentile intervals.

    Resampling faces is the same as drawing the cells of the confusion matrix from a
    multinomial, and a thousand times faster.
    """
    total = counts.sum()
    draws = np.random.default_rng(seed).multinomial(total, counts.ravel() / total, bootstrap)
    labels, predicted = np.indices(counts.shape).reshape(2, -1)
    samples = {
        "accuracy": draws[:, labels == predicted].sum(axis=1) / total,
        "macro_f1": _macro_f1(draws, labels, predicted, len(counts)),
    }
    intervals = {}
    for name, values in samples.items():
        low, high = np.quantile(values, [0.025, 0.975])
        intervals |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return intervals


def prefixed(prefix: str, metrics: dict[str, float]) -> dict[str, float]:
    """Returns `metrics` with `prefix.` before every name."""
    return {f"{prefix}.{name}": value for name, value in metrics.items()}


def write(path: Path, metrics: dict[str, float]) -> None:
    """Writes a metrics file, rounded so that noise in the last bits is no difference."""
    rounded = {name: round(value, 6) for name, value in metrics.items()}
    write_text(path, json.dumps(rounded, indent=1) + "\n")


def read(path: Path) -> dict[str, float]:
    """Reads a metrics file."""
    return json.loads(path.read_text(encoding="utf-8"))
