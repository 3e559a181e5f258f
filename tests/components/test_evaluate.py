import re

import keras
import numpy as np
import pandas as pd
import pytest

from components.data.labels import TTA
from components.ensemble import ensemble
from components.evaluate import evaluate
from components.settings import EnsembleSettings, EvaluateSettings

CLASSES = ("angry", "happy", "neutral")
SETTINGS = EvaluateSettings(mistakes=4, bootstrap=100, seed=0)
COMBINE = EnsembleSettings(
    members=["good", "bad"], tta="none", weights="equal", risk=0.1, bootstrap=100, seed=0
)


@pytest.fixture
def inputs(tmp_path, make_faces):
    """Two members and their ensemble: 150 validation and 300 test faces, a third leaked."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 450)
    splits = ["val"] * 150 + ["test"] * 300
    shared = {"row": np.arange(450), "split": splits, "label": labels.astype(np.int8)}
    shared |= {"leaked": np.arange(450) % 3 == 0, "learnt": False}
    members = {}
    for name, skill in {"good": 3.0, "bad": 0.5}.items():
        members[name] = tmp_path / name
        members[name].mkdir()
        inputs = keras.Input((8, 8, 1))
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
        keras.Model(inputs, keras.layers.Dense(3)(x)).save(members[name] / "model.keras")
        answers = pd.DataFrame(shared)
        for prefix in TTA.values():
            logits = 2 * (draw.normal(size=(450, 3)) + skill * np.eye(3)[labels])
            own = pd.DataFrame(logits.astype(np.float32), columns=list(CLASSES))
            answers = answers.join(own.add_prefix(prefix))
        answers.to_parquet(members[name] / "predictions.parquet", index=False)
    combined, drawn = tmp_path / "ensemble", tmp_path / "drawn"
    scores = ensemble(members, combined, drawn, COMBINE, classes=CLASSES)
    faces = make_faces(labels, splits)
    table = pd.read_parquet(faces / "faces.parquet")
    table["gender"] = np.where(np.arange(450) % 2, "f", "<m>")
    table.to_parquet(faces / "faces.parquet", index=False)
    parts = {"members": members, "ensemble": combined, "drawn": drawn, "faces": faces}
    return parts | {"scores": scores}


@pytest.fixture
def found(inputs, tmp_path):
    """Metrics, report and figures."""
    out, figures = tmp_path / "out", tmp_path / "figures"
    metrics = evaluate(**inputs, out=out, figures=figures, settings=SETTINGS, classes=CLASSES)
    return metrics, (out / "report.html").read_text(), figures


def test_every_member_is_scored_on_both_editions_of_the_test_split(found):
    metrics, _, _ = found
    for split, count in {"test": 300, "test_leak_free": 200}.items():
        assert metrics[f"{split}.good.n"] == count
        assert metrics[f"{split}.good.macro_f1"] > metrics[f"{split}.bad.macro_f1"]
        low, high = (metrics[f"{split}.good.accuracy_{end}"] for end in ("low", "high"))
        assert low < metrics[f"{split}.good.accuracy"] < high


def test_a_temperature_mends_a_member_that_is_too_sure(found):
    metrics, _, _ = found
    assert metrics["temperature.bad"] > 1.5
    assert metrics["test.bad.ece"] < metrics["test.bad.ece_uncalibrated"]
    assert metrics["test.bad.nll"] < metrics["test.bad.nll_uncalibrated"]


def test_slices_have_intervals(found):
    metrics, _, figures = found
    assert metrics["slice.gender.f.n"] + metrics["slice.gender._m_.n"] == 300
    low, high = (metrics[f"slice.brightness.dark.accuracy_{end}"] for end in ("low", "high"))
    assert low < metrics["slice.brightness.dark.accuracy"] < high
    assert metrics["slice_leak_free.gender.f.n"] + metrics["slice_leak_free.gender._m_.n"] == 200
    lines = pd.read_csv(figures / "slices.csv", index_col="slice")
    assert lines.index[0] == "all faces"
    assert lines.loc["gender.f", "test_n"] == metrics["slice.gender.f.n"]


def test_the_area_under_the_curve_is_below_the_risk_of_answering_always(found, inputs):
    metrics, _, figures = found
    assert 0 <= metrics["test.aurc"] < 1 - inputs["scores"]["test.accuracy"]
    curve = pd.read_csv(figures / "risk_coverage.csv")
    assert curve["risk"].iloc[-1] == pytest.approx(1 - inputs["scores"]["test.accuracy"], abs=1e-6)


def test_the_page_shows_every_picture_and_needs_no_network(found):
    _, page, figures = found
    assert page.count("<img") == 6
    assert len(list(figures.glob("*.png"))) == 4
    assert not re.search(r"(src|href)=.?https?:", page)


def test_the_page_names_its_numbers(found, inputs):
    _, page, _ = found
    scores = inputs["scores"]
    assert f"{scores['test.accuracy']:.3f}\N{NO-BREAK SPACE}(" in page
    assert f"McNemar's p = {scores['test.mcnemar_p']:.2g}" in page
    assert f"Below a confidence of {scores['abstain_below']:.3f}" in page
    assert "<strong>equal (chosen)</strong>" in page
    assert "Grad-CAM of\n<em>good</em>" in page


def test_what_the_data_say_is_taken_neither_for_html_nor_for_a_bad_metric(found):
    metrics, page, _ = found
    assert "gender._m_" in page
    assert "<m>" not in page
    assert all(re.fullmatch(r"[/\w.\- :]+", name) for name in metrics)  # what MLflow takes


def test_without_a_mistake_there_is_still_a_page(inputs, tmp_path):
    path = inputs["ensemble"] / "predictions.parquet"
    answers = pd.read_parquet(path)
    answers[list(CLASSES)] = np.eye(3, dtype=np.float32)[answers["label"]]
    answers.to_parquet(path, index=False)
    out, figures = tmp_path / "out", tmp_path / "figures"
    evaluate(**inputs, out=out, figures=figures, settings=SETTINGS, classes=CLASSES)
    assert "<h2>The surest mistakes" in (out / "report.html").read_text()
