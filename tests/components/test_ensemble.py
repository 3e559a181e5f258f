import json

import numpy as np
import pandas as pd
import pytest

from components.ensemble import cool, ensemble, fit_temperature, optimise_weights
from components.errors import InputError
from components.metrics import nll
from components.settings import EnsembleSettings

CLASSES = ("angry", "happy", "neutral")
SETTINGS = EnsembleSettings(
    members=["good", "bad"], flip=False, weights="auto", bootstrap=100, seed=0
)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, 600)


def logits(labels: np.ndarray, skill: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(len(labels), 3))
    return (noise + skill * np.eye(3)[labels]).astype(np.float32)


@pytest.fixture
def members(tmp_path, labels):
    """Two members' predictions: 200 validation faces, 400 test faces, half of them leaked."""
    folders = {}
    for seed, (name, skill) in enumerate({"good": 2.0, "bad": 0.0}.items()):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        table = pd.DataFrame(
            {
                "row": np.arange(600),
                "split": ["val"] * 200 + ["test"] * 400,
                "label": labels.astype(np.int8),
                "leaked": np.arange(600) % 2 == 0,
            }
        )
        answers = pd.DataFrame(logits(labels, skill, seed), columns=list(CLASSES))
        mirrored = pd.DataFrame(logits(labels, skill, seed + 10), columns=list(CLASSES))
        answers = answers.join(mirrored.add_prefix("mirrored_"))
        table.join(answers).to_parquet(folders[name] / "predictions.parquet", index=False)
    return folders


def run(members, tmp_path, settings=SETTINGS):
    out, figures = tmp_path / "ensemble", tmp_path / "figures"
    metrics = ensemble(members, out, figures, settings, classes=CLASSES)
    return metrics, json.loads((out / "ensemble.json").read_text()), figures


def test_a_member_that_guesses_gets_next_to_no_weight(members, tmp_path):
    _, settled, _ = run(members, tmp_path)
    assert settled["rule"] == "optimised"
    assert settled["weights"]["good"] > 0.9


def test_equal_weights_are_equal(members, tmp_path):
    settings = SETTINGS.model_copy(update={"weights": "equal"})
    _, settled, _ = run(members, tmp_path, settings)
    assert settled["weights"] == {"good": 0.5, "bad": 0.5}


def test_the_leak_free_subset_leaves_leaked_faces_out(members, tmp_path):
    metrics, _, _ = run(members, tmp_path)
    assert metrics["test.n"] == 400
    assert metrics["test_leak_free.n"] == 200


def test_every_member_and_every_rule_is_reported(members, tmp_path):
    metrics, _, _ = run(members, tmp_path)
    assert metrics["test.accuracy_of.good"] > metrics["test.accuracy_of.bad"]
    assert metrics["test.accuracy"] == metrics["test.accuracy_of.optimised_weights"]
    assert "test.accuracy_of.equal_weights" in metrics


def test_the_plots_have_a_line_a_test_face(members, tmp_path):
    _, _, figures = run(members, tmp_path)
    assert len(pd.read_csv(figures / "confusion.csv")) == 400
    assert {path.name for path in figures.glob("*.png")} == {"confusion.png", "reliability.png"}


def test_with_flip_the_mirror_image_has_its_say(members, tmp_path):
    alone, _, _ = run(members, tmp_path / "alone")
    both, settled, _ = run(members, tmp_path / "both", SETTINGS.model_copy(update={"flip": True}))
    assert settled["flip"]
    assert both["test.accuracy_of.good"] > alone["test.accuracy_of.good"] + 0.02


def test_members_of_other_faces_are_refused(members, tmp_path):
    path = members["bad"] / "predictions.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(InputError, match="other faces or classes"):
        run(members, tmp_path)


def test_weights_are_no_worse_than_any_corner_or_the_middle(labels):
    tables = np.stack([cool(np.exp(logits(labels, s, i)), 1) for i, s in enumerate((0.5, 1, 2))])
    best = nll(np.tensordot(optimise_weights(tables, labels), tables, 1), labels)
    for other in (*np.eye(3), np.full(3, 1 / 3)):
        assert best <= nll(np.tensordot(other, tables, 1), labels) + 1e-9


def test_an_overconfident_answer_is_cooled(labels):
    honest = cool(np.exp(logits(labels, 2.0, 0)), 1.0)
    assert fit_temperature(cool(honest, 0.5), labels) == pytest.approx(
        2 * fit_temperature(honest, labels), rel=0.01
    )


def test_cooling_keeps_the_order_of_classes(labels):
    answers = cool(np.exp(logits(labels, 1.0, 0)), 1.0)
    assert (cool(answers, 3.0).argmax(1) == answers.argmax(1)).all()
    np.testing.assert_allclose(cool(answers, 3.0).sum(1), 1, rtol=1e-6)
