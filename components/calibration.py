"""Probabilities that mean what they say: temperature, and when to say "not sure".

Both are fitted on the validation split alone.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from components.metrics import SMALLEST, nll


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Finds the temperature with the least negative log likelihood (Guo et al. 2017).

    Args:
        probabilities: (N, C).
        labels: (N,) integers below C.

    Returns:
        A temperature in [0.05, 20]; above one means that the mixture was overconfident.
    """
    found = minimize_scalar(
        lambda log_t: nll(cool(probabilities, float(np.exp(log_t))), labels),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
    )
    return float(np.exp(found.x))


def cool(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divides log probabilities by a temperature and normalises again.

    Args:
        probabilities: (N, C).
        temperature: Above one flattens, below one sharpens; the top class stays.

    Returns:
        (N, C) probabilities.
    """
    return softmax(np.log(np.maximum(probabilities, SMALLEST)) / temperature, axis=1)


def risk_coverage(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """The risk–coverage curve of El-Yaniv & Wiener (2010): who answers less errs less.

    Args:
        probabilities: (N, C).
        labels: (N,) integers below C.

    Returns:
        For each distinct confidence, highest first: that `threshold`, the `coverage` (share
        of faces at or above it) and the `risk` (share of those that are wrong).
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = (probabilities.argmax(axis=1) != labels)[order].cumsum()
    confidence = confidence[order]
    last = np.append(confidence[1:] < confidence[:-1], True)  # faces with equal ones go together
    answered = np.arange(1, len(labels) + 1)[last]
    return {
        "threshold": confidence[last],
        "coverage": answered / len(labels),
        "risk": wrong[last] / answered,
    }


def abstention_threshold(probabilities: np.ndarray, labels: np.ndarray, risk: float) -> float:
    """Finds the confidence below which to abstain, so that the rest keeps to a risk.

    Args:
        probabilities: (N, C).
        labels: (N,) integers below C.
        risk: Largest share of wrong answers among those that are given.

    Returns:
        The lowest confidence that keeps to it; 1 where none does.
    """
    curve = risk_coverage(probabilities, labels)
    kept = curve["threshold"][curve["risk"] <= risk]
    return float(kept.min()) if len(kept) else 1.0


def answered(probabilities: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, float]:
    """Returns the `coverage` and `risk` at a threshold; without an answer the risk is 0."""
    certain = probabilities.max(axis=1) >= threshold
    wrong = probabilities.argmax(axis=1)[certain] != labels[certain]
    return {"coverage": float(certain.mean()), "risk": float(wrong.mean()) if len(wrong) else 0.0}
