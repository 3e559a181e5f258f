"""One training in real processes: what they find together, and what happens when one dies."""

import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import psutil
import pytest
from keras import layers

from components import parallel, rank
from components.errors import InputError
from pipelines import train
from tests.waiting import until

MEMBER = "mini_xception"
CLASSES = 7
TRAIN = {
    "head": {"epochs": 2, "learning_rate": 0.01},  # the chief trains it alone
    "epochs": 4,
    "batch_size": 8,
    "learning_rate": 0.01,
    "ema": 0.9,
    "mix": {"method": "mixup", "alpha": 0.2},
    "sizes": [{"until": 0.5, "size": 6}],
}


def network() -> keras.Model:
    """All that could go wrong when a batch is shared out: normalisation, dropout, resizing."""
    faces = keras.Input((8, 8, 1))
    x = layers.Rescaling(1 / 255)(layers.Resizing(8, 8)(faces))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(x))
    x = layers.SeparableConv2D(8, 3)(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D(name="features")(x)
    logits = layers.Dense(CLASSES)(layers.Dropout(0.3)(x))
    return keras.Model(faces, logits, name=MEMBER)


@pytest.fixture
def training(make_workspace, tmp_path):
    """Makes folders in which the network can be trained."""

    def make(name: str):
        path: Path = tmp_path / name
        path.mkdir()
        workspace = make_workspace(path)
        settings = workspace.params["train"]
        workspace.set(
            train={
                "common": settings["common"] | TRAIN,
                "members": settings["members"] | {MEMBER: {}},
            }
        )
        designs = path / "artifacts" / "design"
        designs.mkdir()
        (designs / f"{MEMBER}.json").write_text(network().to_json(), encoding="utf-8")
        return workspace

    return make


def start(workspace, workers: int):
    given = {"TRAIN_WORKERS": str(workers), "KERAS_BACKEND": "jax"}
    return workspace.running("pipelines.train", MEMBER, **given)


def trained(workspace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the curves and the predictions."""
    out = workspace.path / "artifacts" / "train" / MEMBER
    return pd.read_csv(out / "curves.csv"), pd.read_parquet(out / "predictions.parquet")


def test_a_team_that_lost_one_and_went_on_finds_what_one_process_finds(training):
    alone = training("alone")
    with start(alone, workers=1) as process:
        assert process.wait() == 0, alone.said()

    together = training("together")
    with start(together, workers=2) as team:
        until(lambda: "Epoch 4/4" in together.log.read_text(), team, together.log)
        (victim,) = (
            process
            for process in psutil.Process(team.pid).children()
            if process.environ().get(rank.PROCESS) == "1"
        )
        victim.kill()
        assert team.wait() != 0
    assert "process 1 ended with status -9; run the same again to go on." in together.said()
    assert not (together.path / "artifacts" / "train").exists()
    together.log.unlink()
    with start(together, workers=2) as team:
        assert team.wait() == 0, together.said()
    assert "Epoch 1/" not in together.log.read_text()

    (curves, answers), (their_curves, their_answers) = trained(alone), trained(together)
    assert list(curves["phase"]) == ["head", "head", "6 px", "6 px", "all", "all"]
    assert list(their_curves["phase"]) == list(curves["phase"])
    for name in ("loss", "accuracy", "val_accuracy"):
        np.testing.assert_allclose(their_curves[name], curves[name], atol=1e-5)
    logits = answers.select_dtypes("float32")
    assert logits.shape == (12, 3 * CLASSES)  # as it is, mirrored, at two scales
    assert logits.to_numpy().std() > 0.01
    np.testing.assert_allclose(their_answers[logits.columns], logits, atol=1e-5)


@pytest.mark.parametrize(
    ("batch_size", "reason"),
    [
        (32, "training in 4 processes works with JAX and the backend is tensorflow"),
        (10, "4 processes cannot share out batches of 10 faces evenly"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(monkeypatch, batch_size, reason):
    monkeypatch.setenv(rank.PROCESSES, "4")
    with pytest.raises(InputError, match=reason):
        parallel.join(batch_size)


def step(chief: str, other: str) -> list[str]:
    """A line of Python in place of the training."""
    code = f"import os, time\nif os.environ['{rank.PROCESS}'] == '0':\n    {chief}\nelse:\n    "
    return [sys.executable, "-c", code + other]


def test_what_is_wrong_with_the_input_is_said_once(capfd):
    told = "raise SystemExit('no such member')"
    assert train.run_team(step(chief=f"time.sleep(1); {told}", other=told), workers=3) == 1
    assert capfd.readouterr().err == "no such member\n"


def test_a_chief_that_does_not_see_that_it_is_alone_is_ended(monkeypatch, capfd):
    monkeypatch.setattr(train, "GRACE", 1)
    other = "print('out of memory', flush=True); os._exit(3)"
    assert train.run_team(step(chief="time.sleep(600)", other=other), workers=2) == 1
    told = capfd.readouterr().err.splitlines()
    ended = "mien train: process 1 ended with status 3; run the same again to go on."
    assert told == ["out of memory", ended]


def test_a_chief_that_fails_takes_the_others_along():
    before = psutil.Process().children()
    assert train.run_team(step(chief="raise SystemExit(7)", other="time.sleep(600)"), 2) == 7
    assert psutil.Process().children() == before


def test_a_number_of_workers_that_is_none_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("TRAIN_WORKERS", "0")
    assert train.main([MEMBER]) == 1
    assert "TRAIN_WORKERS is '0'; give a number from 1" in capsys.readouterr().err
