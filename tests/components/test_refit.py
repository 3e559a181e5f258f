"""Trainings that go on with the validation faces, on 8x8 faces, with a network of one layer."""

import numpy as np
import pandas as pd
import pytest

from components.batches import Batches, one_hot
from components.data.labels import TTA
from components.errors import InputError
from components.predictions import unaware_of_validation
from components.recipe import predict
from components.refit import to_learn, with_validation
from components.settings import HeadSettings, RefitSettings
from tests.components.test_train import CLASSES, SETTINGS, KilledError, run, weights

REFIT = SETTINGS.model_copy(
    update={"refit": RefitSettings(epochs=3, learning_rate=0.01, held_back=0.3)}
)


@pytest.fixture
def inputs(training_inputs):
    return training_inputs


@pytest.fixture
def trained(inputs, tmp_path):
    """The network of a training of four epochs, which others begin from."""
    run(inputs, tmp_path / "earlier")
    return tmp_path / "earlier" / "out" / "model.keras"


def answers(folder, split: str) -> pd.DataFrame:
    table = pd.read_parquet(folder / "out" / "predictions.parquet")
    return table[table["split"] == split]


def network(folder, name: str):
    import keras

    return keras.models.load_model(folder / "out" / f"{name}.keras")


def logits_of(model, inputs, rows) -> np.ndarray:
    faces = np.load(inputs["faces"] / "faces.npy")[rows][..., None]
    return predict(model, faces.astype(np.float32))


@pytest.mark.parametrize("ema", [None, 0.9])
def test_what_a_refit_learns_is_answered_before_it_and_all_else_after(inputs, tmp_path, ema):
    run(inputs, tmp_path, REFIT.model_copy(update={"ema": ema}))
    table = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
    val = pd.read_parquet(inputs["kept"] / "kept.parquet").query("split == 'val'")
    learnt_rows = table.loc[table["learnt"], "row"]
    assert list(learnt_rows) == list(to_learn(val, 0.3)["row"])
    assert 0 < len(learnt_rows) < len(val)
    for learnt, name in ((True, "selected"), (False, "model")):
        told = table[table["learnt"] == learnt]
        expected = logits_of(network(tmp_path, name), inputs, told["row"])
        np.testing.assert_allclose(told[list(CLASSES)], expected, rtol=1e-4, atol=1e-5)
    before, after = (network(tmp_path, name).get_weights() for name in ("selected", "model"))
    assert not np.allclose(before[0], after[0])


def test_what_was_selected_is_what_a_training_without_refit_ends_with(inputs, tmp_path):
    metrics = run(inputs, tmp_path / "refit", REFIT)
    assert run(inputs, tmp_path / "plain") == metrics
    selected = network(tmp_path / "refit", "selected").get_weights()
    for one, other in zip(selected, weights(tmp_path / "plain"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_refit_learns_the_validation_faces(inputs, tmp_path):
    """Their labels are others than those of training faces that look alike."""
    table = pd.read_parquet(inputs["kept"] / "kept.parquet")
    val = table["split"] == "val"
    table.loc[val, "label"] = (table.loc[val, "label"] + 1) % 3
    table.to_parquet(inputs["kept"] / "kept.parquet")
    sample = pd.read_parquet(inputs["training"] / "training.parquet")
    sample.iloc[:3].to_parquet(inputs["training"] / "training.parquet")
    run(
        inputs,
        tmp_path,
        REFIT.model_copy(
            update={"refit": RefitSettings(epochs=60, learning_rate=0.03, held_back=0.1)}
        ),
    )
    rows, labels = table.loc[val, "row"], table.loc[val, "label"]
    right = {
        name: (logits_of(network(tmp_path, name), inputs, rows).argmax(axis=1) == labels).mean()
        for name in ("selected", "model")
    }
    assert right["model"] > 0.7 > right["selected"]


def test_a_validation_face_with_a_copy_in_the_test_split_is_left_out(inputs):
    val = pd.read_parquet(inputs["kept"] / "kept.parquet").query("split == 'val'")
    every = list(to_learn(val, 0.1)["row"])
    assert len(every) == len(val) - 1
    val.loc[every[2], "in_test"] = True
    assert list(to_learn(val, 0.1)["row"]) == every[:2] + every[3:]


def test_who_holds_back_more_holds_back_what_others_do_too():
    val = pd.DataFrame({"row": np.arange(100), "in_test": False})
    some, few, one = (set(to_learn(val, share)["row"]) for share in (0.1, 0.6, 0.999))
    assert (len(some), len(few), len(one)) == (90, 40, 0)
    assert few < some
    assert len(to_learn(val, 0.001)) == 99


def test_validation_faces_weigh_what_training_faces_of_their_class_do(inputs):
    table = pd.read_parquet(inputs["kept"] / "kept.parquet")
    training, val = (table[table["split"] == part] for part in ("train", "val"))
    own = Batches(
        np.load(inputs["faces"] / "faces.npy"),
        training["row"].to_numpy(),
        one_hot(training["label"].to_numpy(), 3),
        weights=np.choose(training["label"], [1.0, 2.0, 3.0]).astype(np.float32),
        batch_size=8,
    )
    joined = with_validation(own, val)
    assert list(joined.rows) == list(range(50))
    np.testing.assert_array_equal(joined.targets.argmax(axis=1), joined.rows % 3)
    np.testing.assert_array_equal(joined.weights, joined.rows % 3 + 1)


def test_soft_targets_of_validation_faces_are_learnt_as_such(inputs):
    val = pd.read_parquet(inputs["kept"] / "kept.parquet").query("split == 'val'")
    shares = np.full((60, 3), [0.5, 0.3, 0.2], np.float32)
    val[[f"target_{name}" for name in CLASSES]] = shares[: len(val)]
    own = Batches(np.zeros((60, 8, 8), np.uint8), np.arange(41), shares[:41], batch_size=8)
    np.testing.assert_array_equal(with_validation(own, val).targets, shares[:50])


@pytest.mark.parametrize("change", [{}, {"ema": 0.9}], ids=["last", "average"])
def test_an_interrupted_refit_ends_as_if_it_had_not_been(inputs, tmp_path, change):
    settings = REFIT.model_copy(update=change)
    run(inputs, tmp_path / "whole", settings)

    def kill(epoch: int, figures: dict) -> None:
        if epoch == 6:
            raise KilledError

    with pytest.raises(KilledError):
        run(inputs, tmp_path / "broken", settings, on_epoch=kill)
    assert not (tmp_path / "broken" / "out").exists()
    seen = []
    run(inputs, tmp_path / "broken", settings, on_epoch=lambda epoch, figures: seen.append(epoch))
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    for file in ("model.keras", "selected.keras", "predictions.parquet", "curves.csv"):
        whole, resumed = (tmp_path / name / "out" / file for name in ("whole", "broken"))
        assert whole.read_bytes() == resumed.read_bytes(), file


def test_the_curves_of_a_refit_say_nothing_of_validation(inputs, tmp_path):
    figures = []
    run(inputs, tmp_path, REFIT, on_epoch=lambda epoch, told: figures.append(told))
    curves = pd.read_csv(tmp_path / "out" / "curves.csv")
    assert list(curves["phase"]) == ["all"] * 4 + ["refit"] * 3
    assert list(curves["epoch"]) == list(range(1, 8))
    later = curves[curves["phase"] == "refit"]
    assert later[["val_accuracy", "val_loss"]].isna().all(axis=None)
    assert later[["accuracy", "loss"]].notna().all(axis=None)
    assert [sorted(told) for told in figures[4:]] == [["accuracy", "loss"]] * 3


def test_without_an_epoch_a_network_stays_as_it_begins(inputs, tmp_path, trained):
    settings = SETTINGS.model_copy(update={"epochs": 0})
    metrics = run(inputs, tmp_path, settings, weights=trained)
    for one, other in zip(weights(tmp_path), weights(tmp_path / "earlier"), strict=True):
        np.testing.assert_array_equal(one, other)
    val = answers(tmp_path, "val")
    right = (val[list(CLASSES)].to_numpy().argmax(axis=1) == val["label"]).mean()
    assert (metrics["epoch"], metrics["val.accuracy"]) == (0, pytest.approx(right))


def test_an_earlier_network_can_be_refitted_at_once(inputs, tmp_path, trained):
    run(inputs, tmp_path, REFIT.model_copy(update={"epochs": 0}), weights=trained)
    curves = pd.read_csv(tmp_path / "out" / "curves.csv")
    assert list(curves["phase"]) == ["all", "refit", "refit", "refit"]
    assert list(curves["epoch"]) == [0, 1, 2, 3]
    earlier, now = (answers(folder, "val") for folder in (tmp_path / "earlier", tmp_path))
    columns = [prefix + name for prefix in TTA.values() for name in CLASSES]
    learnt = now["learnt"]
    np.testing.assert_array_equal(now.loc[learnt, columns], earlier.loc[learnt, columns])
    assert not np.allclose(now.loc[~learnt, columns], earlier.loc[~learnt, columns], rtol=1e-5)


def test_without_an_epoch_the_head_alone_learns(inputs, tmp_path, trained):
    head = HeadSettings(epochs=20, learning_rate=0.01)
    settings = SETTINGS.model_copy(update={"epochs": 0, "head": head})
    metrics = run(inputs, tmp_path, settings, weights=trained)
    assert metrics["val.accuracy"] > 0.6
    *body, kernel, _ = weights(tmp_path)
    *earlier, their_kernel, _ = weights(tmp_path / "earlier")
    for one, other in zip(body, earlier, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.allclose(kernel, their_kernel)


def test_what_validation_judges_is_the_network_from_before(inputs, tmp_path):
    run(inputs, tmp_path / "refit", REFIT)
    run(inputs, tmp_path / "plain")
    assert unaware_of_validation(tmp_path / "refit" / "out").name == "selected.keras"
    assert unaware_of_validation(tmp_path / "plain" / "out").name == "model.keras"


def test_a_network_that_would_stay_random_is_refused(inputs, tmp_path):
    with pytest.raises(InputError, match=r"out has no epoch, no head and no weights to begin with"):
        run(inputs, tmp_path, SETTINGS.model_copy(update={"epochs": 0}))
