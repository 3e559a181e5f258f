"""What classifiers of the time before end-to-end training make of the same faces.

EigenFaces, SIFT visual words and a network's features, each under logistic regression, an SVM
and a random forest. Run it as `python -m components baseline`.
"""

from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from components import plots
from components.baselines import classifiers, cnn, eigenfaces, visual_words
from components.data.faces import FaceSet
from components.data.synthetic import training_images
from components.errors import InputError
from components.metrics import evaluate, prefixed
from components.outputs import replacing
from components.settings import BaselineSettings

SIDE = 48  # pixels that faces are brought to for all but the network
DESCRIPTIONS = ("eigenfaces", "sift_words", "cnn")
# These classifiers name a class and give no probability, which these metrics are about.
OF_PROBABILITIES = ("nll", "brier", "ece")


def baseline(
    faces: Path,
    kept: Path,
    training: Path,
    model: Path,
    out: Path,
    figures: Path,
    settings: BaselineSettings,
    *,
    classes: tuple[str, ...],
) -> dict[str, float]:
    """Fits every classifier on every description; validation chooses settings and the best pair.

    Args:
        faces: Face set written by `ingest`.
        kept: Folder written by `clean`.
        training: Folder written by `balance`.
        model: The trained network whose features are used, written by `train`.
        out: Folder to write `predictions.parquet` (row, split, label, leaked, and a column with
            the predicted label of each pair) to.
        figures: Folder for `baselines.csv` (a line a pair) and `baselines.png`.
        settings: Sizes.
        classes: Names of the classes, in label order.

    Returns:
        For `val`, `test` (the published split) and `test_leak_free`, the metrics of the pair
        that is best on validation, without those that need probabilities, and
        `accuracy_of.PAIR` and `macro_f1_of.PAIR` of every pair.

    Raises:
        InputError: If an input is missing or the training faces are all of one class.
    """
    face_set = FaceSet.open(faces)
    table = pd.read_parquet(kept / "kept.parquet")
    held_out = table.loc[table["split"] != "train", ["row", "split", "label", "leaked"]]
    held_out = held_out.reset_index(drop=True)
    sample = pd.read_parquet(training / "training.parquet")
    if sample["label"].nunique() < 2:
        raise InputError(f"{training} has faces of one class; a classifier needs two to tell.")
    images = training_images(face_set.images, training)
    rows = np.concatenate([sample["row"], held_out["row"]])
    known = np.arange(len(rows)) < len(sample)

    answers, lines = {}, []
    for description in DESCRIPTIONS:
        features = _describe(description, images, rows, known, model, settings)
        for name in classifiers.NAMES:
            setting, predicted = _choose(name, features, known, sample, held_out, settings.seed)
            pair = f"{description}-{name}"
            answers[pair] = predicted
            scores = _scores(predicted, held_out, classes, settings)
            lines.append({"baseline": pair, "setting": setting} | scores)
            print(f"{pair} ({setting}): validation accuracy {scores['val.accuracy']:.3f}")

    results = pd.DataFrame(lines)
    _write(results, held_out.assign(**answers), out, figures)
    best = lines[int(results["val.accuracy"].idxmax())]
    metrics = {name: value for name, value in best.items() if name not in ("baseline", "setting")}
    for line, split, measure in product(lines, _masks(held_out), ("accuracy", "macro_f1")):
        metrics[f"{split}.{measure}_of.{line['baseline']}"] = line[f"{split}.{measure}"]
    return metrics


def _describe(
    description: str,
    images: np.ndarray,
    rows: np.ndarray,
    known: np.ndarray,
    model: Path,
    settings: BaselineSettings,
) -> classifiers.Features:
    """Returns (N, D) features of the faces in `rows`, of unit total variance."""
    seed = settings.seed
    if description == "cnn":
        features = cnn.describe(images, rows, known, model)
    elif description == "eigenfaces":
        features = eigenfaces.describe(_grey(images, rows), known, settings.components, seed)
    else:
        features = visual_words.describe(_grey(images, rows), known, settings.words, seed)
    return classifiers.unit_variance(features, known)


def _grey(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Brings faces to one small size in grey: (N, 48, 48) uint8."""
    grey = np.empty((len(rows), SIDE, SIDE), np.uint8)
    for place, row in enumerate(rows):
        (face,) = images[np.array([row])]
        if face.ndim == 3:
            face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        grey[place] = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return grey


def _choose(
    name: str,
    features: classifiers.Features,
    known: np.ndarray,
    sample: pd.DataFrame,
    held_out: pd.DataFrame,
    seed: int,
) -> tuple[str, np.ndarray]:
    """Fits a classifier with each setting; returns validation's choice and what it predicts."""
    seen, unseen = features[np.flatnonzero(known)], features[np.flatnonzero(~known)]
    val = (held_out["split"] == "val").to_numpy()
    labels = held_out["label"].to_numpy()
    best = ("", np.empty(0, np.int8), -1.0)
    for setting, classifier in classifiers.candidates(name, seen, seed).items():
        weights = sample["weight"].to_numpy()
        classifiers.fit(classifier, seen, sample["label"].to_numpy(), weights)
        predicted = classifier.predict(unseen)
        accuracy = float(np.mean(predicted[val] == labels[val]))
        if accuracy > best[2]:
            best = (setting, predicted, accuracy)
    return best[:2]


def _scores(
    predicted: np.ndarray,
    held_out: pd.DataFrame,
    classes: tuple[str, ...],
    settings: BaselineSettings,
) -> dict[str, float]:
    certain = np.eye(len(classes))[predicted]
    labels = held_out["label"].to_numpy()
    scores = {}
    for split, chosen in _masks(held_out).items():
        own = evaluate(
            certain[chosen],
            labels[chosen],
            classes,
            bootstrap=settings.bootstrap,
            seed=settings.seed,
        )
        decided = {name: value for name, value in own.items() if name not in OF_PROBABILITIES}
        scores |= prefixed(split, decided)
    return scores


def _masks(held_out: pd.DataFrame) -> dict[str, np.ndarray]:
    test = (held_out["split"] == "test").to_numpy()
    return {
        "val": (held_out["split"] == "val").to_numpy(),
        "test": test,
        "test_leak_free": test & ~held_out["leaked"].to_numpy(),
    }


def _write(results: pd.DataFrame, predictions: pd.DataFrame, out: Path, figures: Path) -> None:
    with replacing(out) as folder:
        predictions.to_parquet(folder / "predictions.parquet", index=False)
    with replacing(figures) as folder:
        # Vega, which draws DVC's plots, takes a dot in a name for a path.
        flat = results.rename(columns=lambda name: name.replace(".", "_"))
        flat.round(6).to_csv(folder / "baselines.csv", index=False)
        plots.intervals(
            results.set_index("baseline"),
            {"test": "published test split", "test_leak_free": "without leaked faces"},
            "Baselines on the test split, with 95% intervals",
            folder / "baselines.png",
        )
