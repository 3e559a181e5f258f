import json

import numpy as np
import pandas as pd
import pytest

from components.combining import RULES
from components.ensemble import ensemble
from components.errors import InputError
from components.settings import EnsembleSettings

CLASSES = ("angry", "happy", "neutral")
SETTINGS = EnsembleSettings(
    members=["good", "bad"], tta="none", weights="auto", risk=0.05, bootstrap=100, seed=0
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
                "learnt": False,
            }
        )
        answers = pd.DataFrame(logits(labels, skill, seed), columns=list(CLASSES))
        for prefix, better in {"flip_": 1, "two_scales_": 2}.items():
            more = logits(labels, skill + better, seed + 10)
            answers = answers.join(pd.DataFrame(more, columns=list(CLASSES)).add_prefix(prefix))
        table.join(answers).to_parquet(folders[name] / "predictions.parquet", index=False)
    return folders


def run(members, tmp_path, settings=SETTINGS):
    out, figures = tmp_path / "ensemble", tmp_path / "figures"
    metrics = ensemble(members, out, figures, settings, classes=CLASSES)
    return metrics, json.loads((out / "ensemble.json").read_text()), figures


def test_a_member_that_guesses_gets_next_to_no_weight(members, tmp_path):
    _, settled, _ = run(members, tmp_path)
    assert settled["rule"] != "equal"
    assert settled["weights"]["good"] > 0.9


def test_equal_weights_are_equal(members, tmp_path):
    settings = SETTINGS.model_copy(update={"weights": "equal"})
    _, settled, _ = run(members, tmp_path, settings)
    assert settled["weights"] == {"good": 0.5, "bad": 0.5}


def test_the_temperature_is_from_faces_that_no_refit_has_learnt(members, tmp_path):
    """One member learnt 120 validation faces, and grew ten times as sure of all the others."""
    equal = SETTINGS.model_copy(update={"weights": "equal"})
    before, _, _ = run(members, tmp_path, equal)
    for name, folder in members.items():
        table = pd.read_parquet(folder / "predictions.parquet")
        table["learnt"] = (table["row"] < 120) & (name == "good")
        table.loc[~table["learnt"], list(CLASSES)] *= 10
        table.to_parquet(folder / "predictions.parquet", index=False)
    after, _, _ = run(members, tmp_path, equal)
    assert after["temperature"] > 1.5 * before["temperature"]
    val = members["good"] / "predictions.parquet"
    table = pd.read_parquet(val).assign(learnt=lambda table: table["row"] < 199)
    table.to_parquet(val, index=False)
    assert run(members, tmp_path, equal)[0]["temperature"] != after["temperature"]


def test_the_leak_free_subset_leaves_leaked_faces_out(members, tmp_path):
    metrics, _, _ = run(members, tmp_path)
    assert metrics["test.n"] == 400
    assert metrics["test_leak_free.n"] == 200


def test_every_member_and_every_rule_is_reported(members, tmp_path):
    optimised = SETTINGS.model_copy(update={"weights": "optimised"})
    metrics, _, _ = run(members, tmp_path, optimised)
    assert metrics["test.accuracy_of.good"] > metrics["test.accuracy_of.bad"]
    assert metrics["test.accuracy"] == metrics["test.accuracy_of.optimised_weights"]
    rules = ("equal_weights", "greedy_weights", "stacking", "hard_voting")
    assert all(f"test.accuracy_of.{rule}" in metrics for rule in rules)


def test_auto_passes_over_a_rule_that_loses_more_for_certain(members, tmp_path):
    metrics, settled, _ = run(members, tmp_path)
    losses = {rule: metrics[f"cross_validated_nll.{rule}"] for rule in RULES}
    assert losses[settled["rule"]] < losses["equal"] - 0.05
    assert losses[settled["rule"]] < min(losses.values()) + 0.05


def test_auto_takes_equal_weights_for_equal_members(members, tmp_path):
    answers = pd.read_parquet(members["good"] / "predictions.parquet")
    answers.to_parquet(members["bad"] / "predictions.parquet", index=False)
    _, settled, _ = run(members, tmp_path)
    assert settled["rule"] == "equal"


def test_a_stacked_ensemble_writes_its_layer_down(members, tmp_path):
    settings = SETTINGS.model_copy(update={"weights": "stacking"})
    metrics, settled, _ = run(members, tmp_path, settings)
    layer = settled["stacking"]
    assert np.shape(layer["kernel"]) == (6, 3)
    assert np.shape(layer["bias"]) == (3,)
    assert metrics["test.accuracy"] == metrics["test.accuracy_of.stacking"]


def test_the_threshold_keeps_validation_to_the_risk(members, tmp_path):
    metrics, settled, _ = run(members, tmp_path)
    assert settled["abstain_below"] == round(metrics["abstain_below"], 6)
    assert metrics["val.risk"] <= 0.05
    assert 0.3 < metrics["val.coverage"] < 1


def test_an_ensemble_of_one_gains_nothing(members, tmp_path):
    settings = SETTINGS.model_copy(update={"members": ["good"], "weights": "equal"})
    metrics, _, _ = run({"good": members["good"]}, tmp_path, settings)
    assert metrics["test.gain_over_best"] == 0
    assert metrics["test.mcnemar_p"] == 1


def test_equal_weights_beside_a_guesser_lose_significantly(members, tmp_path):
    settings = SETTINGS.model_copy(update={"weights": "equal"})
    metrics, _, _ = run(members, tmp_path, settings)
    assert metrics["test.gain_over_best"] < 0
    assert metrics["test.mcnemar_p"] < 0.05


def test_the_plots_have_a_line_a_test_face(members, tmp_path):
    _, _, figures = run(members, tmp_path)
    assert len(pd.read_csv(figures / "confusion.csv")) == 400
    assert {path.name for path in figures.glob("*.png")} == {"confusion.png", "reliability.png"}


def test_members_answer_under_the_test_time_augmentation_that_is_asked_for(members, tmp_path):
    right = []
    for tta in ("none", "flip", "two_scales"):
        asked = SETTINGS.model_copy(update={"tta": tta})
        metrics, settled, _ = run(members, tmp_path / tta, asked)
        assert settled["tta"] == tta
        right.append(metrics["test.accuracy_of.good"])
    assert right == sorted(set(right))


def test_a_member_that_is_not_trained_is_named(members, tmp_path):
    (members["bad"] / "predictions.parquet").unlink()
    with pytest.raises(InputError, match=r"bad/predictions\.parquet is missing"):
        run(members, tmp_path)


def test_members_of_other_faces_are_refused(members, tmp_path):
    path = members["bad"] / "predictions.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(InputError, match="other faces or classes"):
        run(members, tmp_path)
