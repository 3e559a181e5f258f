"""Combine the members: weights and temperature from validation, one score on test.

Run it as `python -m components ensemble`.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize, minimize_scalar
from scipy.special import softmax
from sklearn.model_selection import KFold

from components import plots
from components.data.labels import MIRRORED
from components.errors import InputError
from components.metrics import (
    SMALLEST,
    accuracy,
    calibration_error,
    confusion,
    evaluate,
    nll,
    prefixed,
    reliability,
)
from components.outputs import replacing
from components.settings import EnsembleSettings


def ensemble(
    members: dict[str, Path],
    out: Path,
    figures: Path,
    settings: EnsembleSettings,
    *,
    classes: tuple[str, ...],
) -> dict[str, float]:
    """Fits the ensemble on the validation split and scores it on the test split.

    Args:
        members: For each member, the folder that `train` wrote.
        out: Folder to write `ensemble.json` (member weights, temperature, flip) and
            `predictions.parquet` (row, split, label, leaked, a probability a class) to.
        figures: Folder for `confusion.csv`, `reliability.csv` and PNG pictures.
        settings: How to weigh.
        classes: Names of the classes, in label order.

    Returns:
        The metrics of `components.metrics.evaluate` for `val`, `test` (the published
        split) and `test_leak_free` (without pictures that had a copy in training), with
        `ece_uncalibrated` and the accuracies of each member and of each weighing as
        `accuracy_of.NAME` beside them; and the `temperature`.

    Raises:
        InputError: If the members' predictions are not of the same faces.
    """
    table, probabilities = _read(members, classes, settings.flip)
    labels = table["label"].to_numpy()
    val = (table["split"] == "val").to_numpy()
    candidates = candidate_weights(probabilities[:, val], labels[val])
    rule = settings.weights
    if rule == "auto":
        rule = _better_rule(probabilities[:, val], labels[val], settings.seed)
    weights = candidates[rule]
    mixed = combine(probabilities, weights)
    temperature = fit_temperature(mixed[val], labels[val])
    calibrated = cool(mixed, temperature)

    metrics = {"temperature": temperature}
    for split, chosen in _splits(table).items():
        scores = evaluate(
            calibrated[chosen],
            labels[chosen],
            classes,
            bootstrap=settings.bootstrap,
            seed=settings.seed,
        )
        scores["ece_uncalibrated"] = calibration_error(mixed[chosen], labels[chosen])
        for name, own in zip(members, probabilities, strict=True):
            scores[f"accuracy_of.{name}"] = accuracy(own[chosen], labels[chosen])
        for name, other in candidates.items():
            blend = combine(probabilities[:, chosen], other)
            scores[f"accuracy_of.{name}_weights"] = accuracy(blend, labels[chosen])
        metrics |= prefixed(split, scores)

    settled = {
        "weights": dict(zip(members, weights.round(6).tolist(), strict=True)),
        "rule": rule,
        "temperature": round(temperature, 6),
        "flip": settings.flip,
    }
    with replacing(out) as folder:
        (folder / "ensemble.json").write_text(json.dumps(settled, indent=1) + "\n")
        answers = pd.DataFrame(calibrated.astype(np.float32), columns=list(classes))
        table.join(answers).to_parquet(folder / "predictions.parquet", index=False)
    test = (table["split"] == "test").to_numpy()
    _draw(calibrated[test], labels[test], classes, figures)
    return metrics


def candidate_weights(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the member weights of every rule, fitted where the rule fits anything.

    Args:
        probabilities: (M, N, C).
        labels: (N,) integers below C.

    Returns:
        (M,) weights for `equal` and `optimised`.
    """
    count = len(probabilities)
    return {
        "equal": np.full(count, 1 / count),
        "optimised": optimise_weights(probabilities, labels),
    }


def combine(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Soft voting: the weighted mean of the members' probabilities (formula 4.1).

    Args:
        probabilities: (M, N, C), one table a member.
        weights: (M,) on the simplex; equal weights give the report's formula 4.1.

    Returns:
        (N, C) probabilities.
    """
    return np.tensordot(weights, probabilities, axes=1)


def optimise_weights(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Finds the weights on the simplex with the least negative log likelihood.

    The objective is convex in the weights (a mixture enters the logarithm linearly), so
    the minimum found is the global one.

    Args:
        probabilities: (M, N, C).
        labels: (N,) integers below C.

    Returns:
        (M,) weights, none negative, summing to one.
    """
    likelihood = np.maximum(probabilities[:, np.arange(len(labels)), labels], SMALLEST)
    count = len(likelihood)

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = np.maximum(weights @ likelihood, SMALLEST)
        return -np.log(mixed).mean(), -(likelihood / mixed).mean(axis=1)

    found = minimize(
        objective,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-10, "maxiter": 500},
    )
    weights = np.clip(found.x, 0, 1)
    return weights / weights.sum()


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


def _better_rule(probabilities: np.ndarray, labels: np.ndarray, seed: int) -> str:
    """Picks the rule with the least log likelihood lost on faces that it was not fitted on."""
    losses = dict.fromkeys(candidate_weights(probabilities[:, :1], labels[:1]), 0.0)
    folds = KFold(n_splits=5, shuffle=True, random_state=seed)
    for fitted, held_out in folds.split(labels):
        for rule, weights in candidate_weights(probabilities[:, fitted], labels[fitted]).items():
            blend = combine(probabilities[:, held_out], weights)
            losses[rule] += nll(blend, labels[held_out]) * len(held_out)
    return min(losses, key=losses.__getitem__)


def _splits(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Returns a mask for validation, the published test split, and its leak-free part."""
    test = (table["split"] == "test").to_numpy()
    return {
        "val": (table["split"] == "val").to_numpy(),
        "test": test,
        "test_leak_free": test & ~table["leaked"].to_numpy(),
    }


def _read(
    members: dict[str, Path], classes: tuple[str, ...], flip: bool
) -> tuple[pd.DataFrame, np.ndarray]:
    """Returns what is the same for all members, and (M, N, C) probabilities."""
    mirrored = [MIRRORED + name for name in classes]
    tables = {name: pd.read_parquet(path / "predictions.parquet") for name, path in members.items()}
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if not table["row"].equals(first["row"]) or list(table)[4:] != [*classes, *mirrored]:
            raise InputError(
                f"{members[name]} predicts other faces or classes than the first member; "
                f"run `dvc repro` so that all members are of the same data."
            )
    logits = np.stack([table[list(classes)].to_numpy(np.float64) for table in tables.values()])
    if flip:
        logits += np.stack([table[mirrored].to_numpy(np.float64) for table in tables.values()])
        logits /= 2
    return first[["row", "split", "label", "leaked"]], softmax(logits, axis=-1)


def _draw(
    probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], folder: Path
) -> None:
    """Writes the tables behind DVC's plots and the pictures for MLflow and the README."""
    predicted = probabilities.argmax(axis=1)
    bins = reliability(probabilities, labels)
    names = np.array(classes)
    with replacing(folder) as fresh:
        pd.DataFrame({"label": names[labels], "predicted": names[predicted]}).to_csv(
            fresh / "confusion.csv", index=False
        )
        pd.DataFrame(bins).round(6).to_csv(fresh / "reliability.csv", index=False)
        plots.confusion_matrix(
            confusion(labels, predicted, len(classes)),
            classes,
            "Ensemble on the test split",
            fresh / "confusion.png",
        )
        plots.reliability_diagram(
            bins, "Ensemble on the test split, after temperature", fresh / "reliability.png"
        )
