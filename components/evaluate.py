"""Step `evaluate`: everything about the answers to the test split, on one page.

Nothing is selected here: members, their combination, its temperature and its threshold are
what `ensemble` settled on the validation split. Run it as `python -m components evaluate`.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from components import metrics, plots, predictions, sheets
from components.calibration import cool, fit_temperature, risk_coverage
from components.data.disk import reading
from components.data.faces import FaceSet
from components.evaluation.gradcam import grad_cam
from components.evaluation.report import ALL, SLICED, Findings, write_report
from components.evaluation.sheet import mistakes_sheet
from components.evaluation.slices import slices
from components.outputs import replacing
from components.predictions import TESTS
from components.settings import EvaluateSettings


def evaluate(
    members: dict[str, Path],
    ensemble: Path,
    drawn: Path,
    faces: Path,
    scores: dict[str, float],
    out: Path,
    figures: Path,
    settings: EvaluateSettings,
    *,
    classes: tuple[str, ...],
) -> dict[str, float]:
    """Scores members, slices and abstention, and writes the report.

    Args:
        members: For each member, the folder that `train` wrote.
        ensemble: Folder that `ensemble` wrote.
        drawn: Folder with the pictures that `ensemble` drew.
        faces: Face set written by `ingest`.
        scores: Metrics that `ensemble` returned.
        out: Folder to write `report.html` to.
        figures: Folder for `models.csv`, `per_class.csv`, `slices.csv`, `risk_coverage.csv`
            and PNG pictures.
        settings: How many mistakes to show; resampling.
        classes: Names of the classes, in label order.

    Returns:
        For each member, after a temperature of its own, `SPLIT.MEMBER.METRIC` with the metrics
        of `components.metrics.evaluate` but those of single classes, and `ece_uncalibrated`,
        `nll_uncalibrated`; of the ensemble `slice.KIND.NAME.METRIC` on the published test
        split (n, accuracy with `_low` and `_high`, balanced_accuracy), the same as
        `slice_leak_free.KIND.NAME.METRIC`, and `aurc`, the area under the risk–coverage curve.

    Raises:
        InputError: If an input is missing or does not fit the others.
    """
    settled = json.loads((ensemble / "ensemble.json").read_text(encoding="utf-8"))
    table, probabilities = predictions.read_members(members, classes, tta=settled["tta"])
    with reading(ensemble / predictions.FILE):
        answers = pd.read_parquet(ensemble / predictions.FILE)[list(classes)].to_numpy(np.float64)
    face_set = FaceSet.open(faces)
    parts = predictions.splits(table)
    labels = table["label"].to_numpy()

    models = {"ensemble": scores}
    for name, own in zip(members, probabilities, strict=True):
        models[name] = _member(own, table, classes, settings)
    sliced = _slices(face_set, table, answers, scores, classes, settings)
    curves = {name: risk_coverage(answers[own], labels[own]) for name, own in parts.items()}
    best = max(members, key=lambda name: models[name]["val.accuracy"])
    sheet = _mistakes(members[best], face_set, table, answers, classes, settings.mistakes)

    findings = Findings(models, settled, sliced, classes, best)
    with replacing(figures) as fresh:
        _draw(findings, curves, fresh)
        sheets.save(fresh / "mistakes.png", sheet)
        with replacing(out) as folder:
            write_report(folder / "report.html", findings, [drawn, fresh])
    return _flat(models, sliced, curves)


def _member(
    probabilities: np.ndarray,
    table: pd.DataFrame,
    classes: tuple[str, ...],
    settings: EvaluateSettings,
) -> dict[str, float]:
    """Scores one member as `ensemble` scores the whole, with a temperature of its own."""
    labels, fresh = table["label"].to_numpy(), predictions.held_back(table)
    temperature = fit_temperature(probabilities[fresh], labels[fresh])
    found = {"temperature": temperature}
    for split, chosen in predictions.splits(table).items():
        raw, truth = probabilities[chosen], labels[chosen]
        resampling = {"bootstrap": settings.bootstrap, "seed": settings.seed}
        own = metrics.evaluate(cool(raw, temperature), truth, classes, **resampling)
        own["ece_uncalibrated"] = metrics.calibration_error(raw, truth)
        own["nll_uncalibrated"] = metrics.nll(raw, truth)
        found |= metrics.prefixed(split, own)
    return found


def _slices(
    face_set: FaceSet,
    table: pd.DataFrame,
    answers: np.ndarray,
    scores: dict[str, float],
    classes: tuple[str, ...],
    settings: EvaluateSettings,
) -> pd.DataFrame:
    """Returns a line a slice, below one for all faces: `SPLIT.METRIC` of the ensemble."""
    test = table["split"] == "test"
    rows = table.loc[test, "row"].to_numpy()
    lines = {ALL: scores}
    for name, inside in slices(face_set.images[rows], face_set.table.iloc[rows]).items():
        whole = np.flatnonzero(test)[inside]
        leak_free = whole[~table["leaked"].to_numpy()[whole]]
        lines[name] = {}
        for split, chosen in zip(TESTS, (whole, leak_free), strict=True):
            if len(chosen):
                truth = table["label"].to_numpy()[chosen]
                resampling = {"bootstrap": settings.bootstrap, "seed": settings.seed}
                own = metrics.evaluate(answers[chosen], truth, classes, **resampling)
                lines[name] |= metrics.prefixed(split, own)
    shown = [f"{split}.{metric}" for split in TESTS for metric in SLICED]
    return pd.DataFrame.from_dict(lines, orient="index").reindex(columns=shown)


def _mistakes(
    member: Path,
    face_set: FaceSet,
    table: pd.DataFrame,
    answers: np.ndarray,
    classes: tuple[str, ...],
    most: int,
) -> np.ndarray:
    """Draws the wrong answers that the ensemble was surest of, and what its best member saw."""
    predicted, confidence = answers.argmax(axis=1), answers.max(axis=1)
    wrong = np.flatnonzero((table["split"] == "test") & (predicted != table["label"]))
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    images = face_set.images[table["row"].to_numpy()[shown]]
    heat = np.zeros(images.shape[:3], np.float32)
    if len(shown):
        model = keras.models.load_model(member / "model.keras", compile=False)
        heat = grad_cam(model, images.reshape(-1, *face_set.shape), predicted[shown])
    said = [
        f"{classes[label]} seen as\n{classes[guess]} {sure:.2f}"
        for label, guess, sure in zip(
            table["label"].to_numpy()[shown], predicted[shown], confidence[shown], strict=True
        )
    ]
    return mistakes_sheet(images, heat, said, f"{len(shown)} of {len(wrong)} mistakes on test")


def _draw(findings: Findings, curves: dict[str, dict[str, np.ndarray]], folder: Path) -> None:
    """Writes the tables behind DVC's plots, and pictures."""
    scores = findings.models["ensemble"]
    lines = pd.DataFrame.from_dict(findings.models, orient="index")
    shown = [f"{split}.accuracy{end}" for split in TESTS for end in ("", "_low", "_high")]
    for table, named in ((lines[shown], "model"), (findings.sliced, "slice")):
        # Vega would take a dot in a column's name for a path.
        flat = table.rename(columns=lambda name: name.replace(".", "_")).rename_axis(named)
        flat.round(6).to_csv(folder / f"{named}s.csv")
    findings.per_class().round(6).to_csv(folder / "per_class.csv", index=False)
    pd.DataFrame(curves["test"]).round(6).to_csv(folder / "risk_coverage.csv", index=False)
    plots.intervals(lines, TESTS, "Ensemble and members", folder / "models.png")
    plots.risk_coverage(
        {TESTS[split]: curves[split] for split in TESTS} | {"validation": curves["val"]},
        (scores["test.coverage"], scores["test.risk"]),
        "Ensemble: risk against coverage",
        folder / "risk_coverage.png",
    )
    title = "Ensemble on slices of the test split"
    plots.intervals(findings.sliced, TESTS, title, folder / "slices.png")


def _flat(
    models: dict[str, dict[str, float]],
    sliced: pd.DataFrame,
    curves: dict[str, dict[str, np.ndarray]],
) -> dict[str, float]:
    flat = {}
    for name, own in models.items():
        if name != "ensemble":  # metrics/ensemble.json has it
            for key, value in own.items():
                split, _, metric = key.partition(".")
                if "." not in metric:  # else it is of one class; plots/evaluate has them
                    flat[f"{split}.{name}.{metric}" if metric else f"{split}.{name}"] = value
    for name, line in sliced.drop(index=ALL).iterrows():
        for split, prefix in zip(TESTS, ("slice", "slice_leak_free"), strict=True):
            for metric in SLICED:
                value = line[f"{split}.{metric}"]
                if not np.isnan(value):  # else the slice has no leak-free face
                    flat[f"{prefix}.{name}.{metric}"] = float(value)
    for split, curve in curves.items():
        width = np.diff(curve["coverage"], prepend=0)
        flat[f"{split}.aurc"] = float((width * curve["risk"]).sum())
    return flat
