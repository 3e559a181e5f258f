"""Combine the members: rule, temperature and threshold from validation, one score on test.

Run it as `python -m components ensemble`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components import plots, predictions
from components.calibration import abstention_threshold, answered, cool, fit_temperature
from components.combining import (
    REPORTED,
    RULES,
    Combiner,
    Stacking,
    cross_validated,
    hard_voting,
    preferred,
)
from components.metrics import (
    accuracy,
    calibration_error,
    confusion,
    evaluate,
    mcnemar,
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
        out: Folder to write `ensemble.json` (rule, member weights, stacking layer,
            temperature, threshold, tta) and `predictions.parquet` (row, split, label,
            leaked, learnt, a probability a class) to.
        figures: Folder for `confusion.csv`, `reliability.csv` and PNG pictures.
        settings: How to combine.
        classes: Names of the classes, in label order.

    Returns:
        The metrics of `components.metrics.evaluate` for `val`, `test` (the published
        split) and `test_leak_free` (without pictures that had a copy in training). Beside
        them `ece_uncalibrated`; `coverage` and `risk` of the answers that reach the threshold;
        `accuracy_of.NAME` of each member and rule; `gain_over_best`, the accuracy beyond that
        of the member that is best on validation, and `mcnemar_p` of it. Without a split:
        `temperature`, `abstain_below`, and `cross_validated_nll.RULE` on validation.

    Raises:
        InputError: If the members' predictions are not of the same faces.
    """
    table, probabilities = predictions.read_members(members, classes, tta=settings.tta)
    labels = table["label"].to_numpy()
    parts = predictions.splits(table)
    val = parts["val"]
    combiners = {name: fit(probabilities[:, val], labels[val]) for name, fit in RULES.items()}
    losses = cross_validated(probabilities[:, val], labels[val], settings.seed)
    rule = preferred(losses) if settings.weights == "auto" else settings.weights
    mixed = combiners[rule](probabilities)
    fresh = predictions.held_back(table)
    temperature = fit_temperature(mixed[fresh], labels[fresh])
    calibrated = cool(mixed, temperature)
    threshold = abstention_threshold(calibrated[fresh], labels[fresh], settings.risk)

    metrics = {"temperature": temperature, "abstain_below": threshold}
    metrics |= {f"cross_validated_nll.{name}": float(own.mean()) for name, own in losses.items()}
    best = probabilities[(probabilities.argmax(axis=2) == labels)[:, val].mean(axis=1).argmax()]
    for split, chosen in parts.items():
        truth, answers = labels[chosen], calibrated[chosen]
        scores = evaluate(answers, truth, classes, bootstrap=settings.bootstrap, seed=settings.seed)
        scores["ece_uncalibrated"] = calibration_error(mixed[chosen], truth)
        scores |= answered(answers, truth, threshold)
        scores |= _gain(answers, best[chosen], truth)
        own = dict(zip(members, probabilities[:, chosen], strict=True))
        scores |= _accuracies(own | _blends(combiners, probabilities[:, chosen]), truth)
        metrics |= prefixed(split, scores)

    settled = _settled(list(members), combiners[rule]) | {
        "rule": rule,
        "temperature": round(temperature, 6),
        "abstain_below": round(threshold, 6),
        "tta": settings.tta,
    }
    _write(settled, table, calibrated, classes, out)
    test = parts["test"]
    _draw(mixed[test], calibrated[test], labels[test], classes, figures)
    return metrics


def _blends(combiners: dict[str, Combiner], probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """What every rule makes of (M, N, C) probabilities, by the name that it is reported under."""
    blends = {rule: combine(probabilities) for rule, combine in combiners.items()}
    blends["hard_voting"] = hard_voting(probabilities)
    return {REPORTED[rule]: blend for rule, blend in blends.items()}


def _gain(answers: np.ndarray, best: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    right, best_right = answers.argmax(axis=1) == labels, best.argmax(axis=1) == labels
    gain = float(right.mean() - best_right.mean())
    return {"gain_over_best": gain, "mcnemar_p": mcnemar(right, best_right)}


def _accuracies(answers: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, float]:
    return {f"accuracy_of.{name}": accuracy(own, labels) for name, own in answers.items()}


def _settled(members: list[str], combine: Combiner) -> dict[str, Any]:
    """Returns the combination as JSON: the members' weights, and the layer where they stack."""
    layer = None
    if isinstance(combine, Stacking):
        layer = {"kernel": combine.kernel.round(6).tolist(), "bias": combine.bias.round(6).tolist()}
    weights = dict(zip(members, combine.weights.round(6).tolist(), strict=True))
    return {"weights": weights, "stacking": layer}


def _write(
    settled: dict[str, Any],
    table: pd.DataFrame,
    calibrated: np.ndarray,
    classes: tuple[str, ...],
    out: Path,
) -> None:
    with replacing(out) as folder:
        (folder / "ensemble.json").write_text(json.dumps(settled, indent=1) + "\n")
        answers = pd.DataFrame(calibrated.astype(np.float32), columns=list(classes))
        table.join(answers).to_parquet(folder / predictions.FILE, index=False)


def _draw(
    mixed: np.ndarray,
    calibrated: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    folder: Path,
) -> None:
    """Writes the tables behind DVC's plots and the pictures for MLflow and the report."""
    predicted = calibrated.argmax(axis=1)
    bins = reliability(calibrated, labels)
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
            {"before temperature": reliability(mixed, labels), "after temperature": bins},
            "Ensemble on the test split",
            fresh / "reliability.png",
        )
