"""A search on 8x8 faces whose class is their brightness."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components import tuner
from components.errors import InputError
from components.search import search
from components.settings import SearchSettings

CLASSES = ("angry", "happy", "neutral")
SETTINGS = SearchSettings(
    trials=2,
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


def test_a_killed_search_goes_on_with_its_next_trial(inputs):
    def kill(trial):
        told.append(trial.name)
        if len(told) == 2:
            raise KeyboardInterrupt

    told: list[str] = []
    settings = SETTINGS.model_copy(update={"trials": 3})
    with pytest.raises(KeyboardInterrupt):
        search(settings=settings, classes=CLASSES, on_trial=kill, **inputs)
    later: list[str] = []
    search(settings=settings, classes=CLASSES, on_trial=lambda t: later.append(t.name), **inputs)
    assert told[0] not in later
    assert len(pd.read_csv(inputs["out"] / "trials.csv")) == 3


def test_a_budget_that_no_network_fits_is_named(inputs, monkeypatch):
    monkeypatch.setattr(tuner, "MOST_DRAWS", 3)
    settings = SETTINGS.model_copy(update={"max_mmacs": 0.0001})
    with pytest.raises(InputError, match=r"search\.max_mmacs"):
        search(settings=settings, classes=CLASSES, **inputs)
    assert not inputs["out"].exists()
