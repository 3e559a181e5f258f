"""Baselines on 8x8 faces whose class is where a bright bar lies."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
import pytest

from components import models
from components.archive import save_model
from components.baseline import DESCRIPTIONS, baseline
from components.baselines.classifiers import NAMES
from components.data.faces import IMAGES, TABLE, write_images
from components.errors import InputError
from components.settings import BaselineSettings

CLASSES = ("angry", "happy", "neutral")
SETTINGS = BaselineSettings(member="mini_xception", components=8, words=8, bootstrap=100, seed=0)
SPLITS = ["train"] * 60 + ["val"] * 20 + ["test"] * 40
PAIRS = [f"{description}-{name}" for description in DESCRIPTIONS for name in NAMES]


def prepare(folder: Path) -> dict[str, Path]:
    """120 faces, of which every other test face has leaked, and an untrained network."""
    labels = np.arange(120) % 3
    images = np.random.default_rng(0).integers(0, 100, (120, 8, 8), np.uint8)
    for face, label in zip(images, labels, strict=True):
        face[2 * label + 1] += 150
    paths = {name: folder / name for name in ("faces", "kept", "training")}
    for path in paths.values():
        path.mkdir()
    table = pd.DataFrame(
        {
            "row": np.arange(120),
            "split": SPLITS,
            "label": labels.astype(np.int8),
            "leaked": np.arange(120) % 2 == 0,
        }
    )
    write_images(paths["faces"] / IMAGES, [images])
    table.to_parquet(paths["faces"] / TABLE)
    table.to_parquet(paths["kept"] / "kept.parquet")
    table[:60].assign(weight=np.float32(1)).to_parquet(paths["training"] / "training.parquet")
    keras.utils.set_random_seed(0)
    save_model(models.build("mini_xception", (8, 8, 1), 3, 48), folder / "model.keras")
    own = {"model": folder / "model.keras", "out": folder / "out", "figures": folder / "figures"}
    return paths | own


@pytest.fixture
def inputs(tmp_path) -> dict[str, Path]:
    return prepare(tmp_path)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> tuple[dict[str, float], pd.DataFrame, dict[str, Path]]:
    """What one run returned and wrote, which the tests that follow only read."""
    inputs = prepare(tmp_path_factory.mktemp("baseline"))
    metrics = baseline(settings=SETTINGS, classes=CLASSES, **inputs)
    return metrics, pd.read_csv(inputs["figures"] / "baselines.csv"), inputs


def change(inputs: dict[str, Path], **columns: object) -> None:
    """Replaces columns of what `balance` chose."""
    path = inputs["training"] / "training.parquet"
    pd.read_parquet(path).assign(**columns).to_parquet(path)


def test_every_description_meets_every_classifier(results):
    metrics, table, inputs = results
    assert list(table["baseline"]) == PAIRS
    for pair in PAIRS:
        assert 0 <= metrics[f"test_leak_free.macro_f1_of.{pair}"] <= 1
    assert (table["test_accuracy_low"] <= table["test_accuracy"]).all()
    assert (table["test_accuracy"] <= table["test_accuracy_high"]).all()
    assert (inputs["figures"] / "baselines.png").read_bytes().startswith(b"\x89PNG")


def test_eigenfaces_and_visual_words_tell_where_a_bar_lies(results):
    _, table, _ = results
    scores = table.set_index("baseline")["test_accuracy"]
    assert scores["eigenfaces-svm"] > 0.9
    assert scores["sift_words-svm"] > 0.9


def test_validation_chooses_the_pair_that_the_test_split_scores(results):
    metrics, table, _ = results
    chosen = table.loc[table["val_accuracy"].idxmax()]
    assert metrics["val.accuracy"] == table["val_accuracy"].max()
    assert metrics["test.accuracy"] == pytest.approx(chosen["test_accuracy"])
    assert metrics["test.n"] == 40
    assert metrics["test_leak_free.n"] == 20
    assert "test.nll" not in metrics


def test_predictions_are_what_the_scores_were_made_from(results):
    metrics, _, inputs = results
    answers = pd.read_parquet(inputs["out"] / "predictions.parquet")
    test = answers[answers["split"] == "test"]
    for pair in PAIRS:
        share = (test[pair] == test["label"]).mean()
        assert metrics[f"test.accuracy_of.{pair}"] == pytest.approx(share)


def test_labels_of_test_faces_teach_nothing(inputs, results):
    path = inputs["kept"] / "kept.parquet"
    table = pd.read_parquet(path)
    table.loc[table["split"] == "test", "label"] = 0
    table.to_parquet(path)
    baseline(settings=SETTINGS, classes=CLASSES, **inputs)
    _, _, undisturbed = results
    before, after = (
        pd.read_parquet(paths["out"] / "predictions.parquet")[PAIRS]
        for paths in (undisturbed, inputs)
    )
    pd.testing.assert_frame_equal(before, after)


def test_a_face_without_weight_teaches_nothing(inputs):
    labels = np.arange(60) % 3
    wrong = (labels == 1) & (np.arange(60) % 9 != 1)  # most of that class
    change(inputs, label=np.where(wrong, 0, labels).astype(np.int8))
    change(inputs, weight=np.where(wrong, 0, 1).astype(np.float32))
    baseline(settings=SETTINGS, classes=CLASSES, **inputs)
    answers = pd.read_parquet(inputs["out"] / "predictions.parquet")
    ones = answers[answers["label"] == 1]
    assert (ones["eigenfaces-logistic_regression"] == 1).mean() > 0.9


def test_training_faces_of_one_class_are_refused(inputs):
    change(inputs, label=np.int8(1))
    with pytest.raises(InputError, match="faces of one class"):
        baseline(settings=SETTINGS, classes=CLASSES, **inputs)
    assert not inputs["out"].exists()


def test_a_damaged_network_is_named(inputs):
    inputs["model"].write_bytes(inputs["model"].read_bytes()[:500])
    with pytest.raises(InputError, match=r"model\.keras cannot be read"):
        baseline(settings=SETTINGS, classes=CLASSES, **inputs)
