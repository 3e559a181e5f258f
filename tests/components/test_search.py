"""A search on 8x8 faces whose class is their brightness."""

import json
import shutil
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest

from components import models, oracles
from components.errors import InputError
from components.models import searched
from components.search import pareto_front, search
from components.settings import SearchSettings
from components.tuner import Space

CLASSES = ("angry", "happy", "neutral")
SETTINGS = SearchSettings(
    space="article",
    oracle="random",
    trials=2,
    minutes=None,
    epochs=1,
    batch_size=8,
    learning_rate=0.01,
    max_images=24,
    max_mmacs=1.0,
    input_size=8,
    seed=0,  # which Keras Tuner itself takes for none
)


@pytest.fixture
def inputs(tmp_path, make_faces) -> dict[str, Path]:
    """40 faces, and the files of the steps before `search`."""
    labels = np.arange(40) % 3
    splits = ["train"] * 30 + ["val"] * 10
    images = np.repeat(labels * 90, 64).reshape(40, 8, 8).astype(np.uint8)
    kept, training = tmp_path / "kept", tmp_path / "training"
    kept.mkdir()
    training.mkdir()
    table = pd.DataFrame({"row": np.arange(40), "split": splits, "label": labels.astype(np.int8)})
    table.to_parquet(kept / "kept.parquet")
    table[:30].assign(weight=np.float32(1)).to_parquet(training / "training.parquet")
    return {
        "faces": make_faces(labels, splits, images),
        "kept": kept,
        "training": training,
        "out": tmp_path / "out",
        "checkpoints": tmp_path / "checkpoints",
    }


def test_a_search_trains_only_networks_that_the_budget_allows(inputs):
    told = []
    metrics = search(settings=SETTINGS, classes=CLASSES, on_trial=told.append, **inputs)
    trials = pd.read_csv(inputs["out"] / "trials.csv")
    assert metrics["trials"] == len(trials) == len(told) == 2
    assert (trials["mmacs"] <= SETTINGS.max_mmacs).all()
    assert metrics["passed_over"] > 0
    assert metrics["best.val_accuracy"] == trials["val_accuracy"].max()


def test_equal_seeds_find_the_same_networks(inputs):
    search(settings=SETTINGS, classes=CLASSES, **inputs)
    first = (inputs["out"] / "trials.csv").read_text()
    search(settings=SETTINGS, classes=CLASSES, **inputs)
    assert (inputs["out"] / "trials.csv").read_text() == first


def kill_at_trial(number: int, inputs: dict[str, Path], settings: SearchSettings) -> list[str]:
    """Stops a search in the middle; returns the trials that were told."""

    def kill(trial):
        told.append(trial.name)
        if len(told) == number:
            raise KeyboardInterrupt

    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        search(settings=settings, classes=CLASSES, on_trial=kill, **inputs)
    return told


def test_a_killed_search_goes_on_with_its_next_trial_and_a_larger_budget(inputs):
    told = kill_at_trial(2, inputs, SETTINGS)
    later: list[str] = []
    settings = SETTINGS.model_copy(update={"trials": 3, "minutes": 60.0})
    search(settings=settings, classes=CLASSES, on_trial=lambda t: later.append(t.name), **inputs)
    assert not set(told) & set(later)
    assert len(pd.read_csv(inputs["out"] / "trials.csv")) == 3
    assert not inputs["checkpoints"].exists()


def test_a_search_of_another_space_takes_nothing_over(inputs):
    kill_at_trial(1, inputs, SETTINGS)
    wide = SETTINGS.model_copy(update={"space": "wide"})
    metrics = search(settings=wide, classes=CLASSES, **inputs)
    assert metrics["trials"] == 2
    for architecture in pd.read_csv(inputs["out"] / "trials.csv")["architecture"]:
        assert "stages" in json.loads(architecture)


def test_a_damaged_state_is_named_with_the_way_out(inputs):
    kill_at_trial(1, inputs, SETTINGS)
    (state,) = inputs["checkpoints"].glob("*/tuner/oracle.json")
    state.write_text(state.read_text()[:200])
    with pytest.raises(InputError, match="remove it to start over"):
        search(settings=SETTINGS, classes=CLASSES, **inputs)


def test_a_state_of_another_space_is_refused(inputs):
    kill_at_trial(1, inputs, SETTINGS)
    (other,) = inputs["checkpoints"].iterdir()
    wide = SETTINGS.model_copy(update={"space": "wide"})
    kill_at_trial(1, inputs, wide)
    (own,) = set(inputs["checkpoints"].iterdir()) - {other}
    shutil.rmtree(own)
    other.rename(own)
    with pytest.raises(InputError, match=r"its trials are of another space.*remove it to start"):
        search(settings=wide, classes=CLASSES, **inputs)


def test_a_budget_that_no_network_fits_is_named(inputs, monkeypatch):
    monkeypatch.setattr(oracles, "MOST_DRAWS", 3)
    settings = SETTINGS.model_copy(update={"max_mmacs": 0.0001})
    with pytest.raises(InputError, match=r"search\.max_mmacs"):
        search(settings=settings, classes=CLASSES, **inputs)
    assert not inputs["out"].exists()


def test_a_search_whose_trials_all_fail_says_why(inputs, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError("no room")

    monkeypatch.setattr(Space, "fit", fail)
    with pytest.raises(InputError, match=r"all 2 trials of the search failed.*no room"):
        search(settings=SETTINGS, classes=CLASSES, **inputs)


def test_no_trial_starts_when_the_minutes_are_over(inputs):
    settings = SETTINGS.model_copy(update={"minutes": 1e-6})
    assert search(settings=settings, classes=CLASSES, **inputs)["trials"] == 1


def test_hyperband_goes_on_with_the_weights_of_the_best_of_the_short_trials(inputs):
    told = []
    change = {"space": "wide", "oracle": "hyperband", "trials": 4, "epochs": 3, "max_mmacs": 9.0}
    settings = SETTINGS.model_copy(update=change)
    search(settings=settings, classes=CLASSES, on_trial=told.append, **inputs)
    *short, promoted = told
    assert [[epoch["epoch"] for epoch in trial.curve] for trial in short] == [[1]] * 3
    assert [epoch["epoch"] for epoch in promoted.curve] == [2, 3]
    best = max(trial.val_accuracy for trial in short)
    assert promoted.architecture in [t.architecture for t in short if t.val_accuracy == best]


def test_bayesian_optimisation_proposes_networks_that_the_budget_allows(inputs):
    told = []
    change = {"space": "wide", "oracle": "bayesian", "trials": 5, "max_mmacs": 0.5}
    settings = SETTINGS.model_copy(update=change)
    search(settings=settings, classes=CLASSES, on_trial=told.append, **inputs)
    assert len(told) == 5
    assert all(trial.mmacs <= 0.5 for trial in told)
    assert len({json.dumps(trial.architecture) for trial in told}) == 5


def test_every_trial_is_told_with_its_curve_and_drawn_with_its_cost(inputs):
    told = []
    search(settings=SETTINGS, classes=CLASSES, on_trial=told.append, **inputs)
    trials = pd.read_csv(inputs["out"] / "trials.csv").set_index("trial")
    for trial in told:
        row = trials.loc[int(trial.name)]
        assert trial.parameters == row["parameters"]
        assert trial.val_accuracy == pytest.approx(row["val_accuracy"])
    assert (inputs["out"] / "pareto.png").read_bytes().startswith(b"\x89PNG")


def test_the_pareto_front_leaves_out_what_is_beaten():
    cost, score = np.array([1, 2, 2, 3, 4]), np.array([0.3, 0.5, 0.4, 0.5, 0.9])
    assert pareto_front(cost, score).tolist() == [True, True, False, False, True]


def test_equals_share_the_pareto_front():
    assert pareto_front(np.array([1, 1]), np.array([0.5, 0.5])).all()


def test_the_articles_space_is_that_of_the_article():
    hp = keras_tuner.HyperParameters()
    searched.sample(hp, "article")
    space = {entry.name: entry.get_config() for entry in hp.space}
    assert (space["modules"]["min_value"], space["modules"]["max_value"]) == (2, 8)
    assert space["head"]["values"] == ["average", "max"]
    assert len(space["activation"]["values"]) == 9
    assert len(space) == 3 + 8 * 10
    for i in range(8):
        assert (space[f"filters_{i}"]["min_value"], space[f"filters_{i}"]["max_value"]) == (16, 56)
        assert space[f"kernel_{i}"]["values"] == [3, 5, 7]
        assert space[f"stride_{i}"]["values"] == [1, 2]
        flags = ("bias", "norm_shortcut", "norm_first", "norm_second", "drop")
        assert {f"{flag}_{i}" for flag in flags} <= space.keys()
        assert len(set(space[f"activation_{i}"]["values"])) == 9
        dropout = space[f"dropout_{i}"]
        assert (dropout["min_value"], dropout["max_value"]) == (0.1, 0.6)


@pytest.mark.parametrize("convolution", ["full", "separable"])
@pytest.mark.parametrize("squeeze", [True, False])
def test_every_kind_of_wide_network_gives_logits(convolution, squeeze):
    hp = keras_tuner.HyperParameters()
    searched.sample(hp, "wide")
    hp.values |= {"convolution": convolution, "squeeze": squeeze, "stages": 4, "blocks_1": 2}
    architecture = searched.sample(hp, "wide")
    model = models.build("searched", (40, 36, 1), 7, 32, architecture=architecture)
    assert model.output.shape == (None, 7)
    kinds = [type(layer) for layer in model.layers]
    assert kinds.count(keras.layers.Add) == 5
    assert (keras.layers.SeparableConv2D in kinds) == (convolution == "separable")
    assert (keras.layers.Multiply in kinds) == squeeze
