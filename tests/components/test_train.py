"""Training on 8x8 faces, with a network of one layer."""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
import pytest

from components import models
from components.batches import Batches, EpochClock, one_hot
from components.data.labels import TTA
from components.errors import InputError
from components.fitting import fallen
from components.recipe import predict
from components.settings import (
    AugmentSettings,
    HeadSettings,
    MixSettings,
    SizeSettings,
    TrainSettings,
)
from components.train import train
from components.views import SHARES, views

CLASSES = ("angry", "happy", "neutral")
AUGMENT = AugmentSettings(
    flip=True, shift=0.1, rotate=5, zoom=0.1, contrast=0.1, brightness=5, erase=0.2
)
SETTINGS = TrainSettings(
    head=None,
    epochs=4,
    batch_size=8,
    optimizer="adamw",
    learning_rate=0.01,
    schedule="cosine",
    patience=None,
    ema=None,
    warmup_epochs=1,
    weight_decay=0.001,
    label_smoothing=0.1,
    draw_labels=False,
    mix=None,
    sam=None,
    sizes=[],
    precision="float32",
    distil=None,
    votes=None,
    refit=None,
    augment=AUGMENT,
    seed=0,
)


@pytest.fixture
def inputs(training_inputs) -> dict[str, Path]:
    return training_inputs


def run(inputs, folder: Path, settings: TrainSettings = SETTINGS, **options):
    return train(
        **inputs,
        out=folder / "out",
        settings=settings,
        classes=CLASSES,
        checkpoints=folder / "checkpoints",
        **options,
    )


def weights(folder: Path) -> list[np.ndarray]:
    return keras.models.load_model(folder / "out" / "model.keras").get_weights()


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_predictions_are_those_of_the_saved_model_in_float32(inputs, tmp_path, precision):
    run(inputs, tmp_path, SETTINGS.model_copy(update={"precision": precision}))
    answers = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert list(answers["split"]) == ["val"] * 9 + ["test"] * 10
    model = keras.models.load_model(tmp_path / "out" / "model.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    faces = np.load(inputs["faces"] / "faces.npy")[answers["row"]][..., None]
    for tta, prefix in TTA.items():
        seen = map(keras.ops.convert_to_numpy, views(faces.astype(np.float32), tta))
        logits = np.average([predict(model, view) for view in seen], axis=0, weights=SHARES[tta])
        own = answers[[prefix + name for name in CLASSES]]
        np.testing.assert_allclose(own, logits, rtol=1e-4, atol=1e-5)


def test_a_network_learns_what_can_be_learnt(inputs, tmp_path):
    metrics = run(inputs, tmp_path, SETTINGS.model_copy(update={"epochs": 40}))
    assert metrics["val.accuracy"] > 0.8


def test_two_trainings_with_one_seed_are_the_same_to_the_byte(inputs, tmp_path):
    for name in ("a", "b"):
        run(inputs, tmp_path / name)
    for file in ("model.keras", "predictions.parquet", "curves.csv"):
        first, second = (tmp_path / name / "out" / file for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes(), file


class KilledError(Exception):
    """Stands for a signal in the middle of a training."""


def run_until_killed(inputs, folder: Path, settings: TrainSettings = SETTINGS) -> None:
    """Trains, and is killed between the third epoch and its checkpoint."""

    def kill(epoch: int, figures: dict) -> None:
        if epoch == 3:
            raise KilledError

    with pytest.raises(KilledError):
        run(inputs, folder, settings, on_epoch=kill)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"ema": 0.9},
        {"schedule": "plateau", "warmup_epochs": 0},
        {"mix": MixSettings(method="cutmix", alpha=1.0), "draw_labels": True},
        {"sam": 0.05},
        {"sizes": [SizeSettings(until=0.5, size=4)]},
        {"sizes": [SizeSettings(until=0.75, size=4)], "ema": 0.9},
        {"precision": "mixed_bfloat16", "sizes": [SizeSettings(until=0.5, size=4)]},
    ],
    ids=lambda change: " ".join(change),
)
def test_an_interrupted_training_ends_as_if_it_had_not_been(inputs, tmp_path, change):
    settings = SETTINGS.model_copy(update=change)
    run(inputs, tmp_path / "whole", settings)

    run_until_killed(inputs, tmp_path / "broken", settings)
    assert not (tmp_path / "broken" / "out").exists()
    seen = []
    resumed = {"on_epoch": lambda epoch, figures: seen.append(epoch)}
    run(inputs, tmp_path / "broken", settings, **resumed)
    assert seen == [1, 2, 3, 4]
    for whole, resumed in zip(
        weights(tmp_path / "whole"), weights(tmp_path / "broken"), strict=True
    ):
        np.testing.assert_array_equal(whole, resumed)
    curves = [(tmp_path / name / "out" / "curves.csv").read_text() for name in ("whole", "broken")]
    assert curves[0] == curves[1]


def test_the_average_of_the_weights_is_what_is_validated_and_kept(inputs, tmp_path):
    averaged = SETTINGS.model_copy(update={"ema": 0.9, "epochs": 1})
    metrics = run(inputs, tmp_path / "averaged", averaged)
    run(inputs, tmp_path / "last", SETTINGS.model_copy(update={"epochs": 1}))
    assert not np.array_equal(weights(tmp_path / "averaged")[0], weights(tmp_path / "last")[0])
    answers = pd.read_parquet(tmp_path / "averaged" / "out" / "predictions.parquet")
    val = answers[answers["split"] == "val"]
    right = val[list(CLASSES)].to_numpy().argmax(axis=1) == val["label"]
    assert right.mean() == pytest.approx(metrics["val.accuracy"])


def test_the_learning_rate_falls_when_the_validation_loss_does_not():
    losses = [3.0, 2.0, 2.5, 2.1, 2.0, 1.0, 1.5, 1.5, 1.5]
    factors = [fallen(pd.DataFrame({"val_loss": losses[:n]})) for n in range(len(losses) + 1)]
    assert factors == pytest.approx([1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01])


def test_a_training_that_no_longer_gets_better_stops(inputs, tmp_path):
    patient = {"patience": 2, "epochs": 50, "learning_rate": 1e-9, "schedule": "plateau"}
    seen = []
    run(
        inputs,
        tmp_path,
        SETTINGS.model_copy(update=patient | {"warmup_epochs": 0}),
        on_epoch=lambda epoch, figures: seen.append(epoch),
    )
    assert seen == [1, 2, 3]


def test_a_resumed_training_does_not_run_the_finished_epochs_again(inputs, tmp_path, monkeypatch):
    run_until_killed(inputs, tmp_path)
    started = []
    begin = EpochClock.on_epoch_begin
    monkeypatch.setattr(
        EpochClock,
        "on_epoch_begin",
        lambda self, epoch, logs=None: (started.append(epoch), begin(self, epoch, logs)),
    )
    run(inputs, tmp_path)
    assert started == [2, 3]


def test_the_head_comes_first_and_is_not_trained_again_on_a_resume(inputs, tmp_path, monkeypatch):
    two_phases = SETTINGS.model_copy(update={"head": HeadSettings(epochs=2, learning_rate=0.01)})
    run(inputs, tmp_path / "whole", two_phases)
    curves = pd.read_csv(tmp_path / "whole" / "out" / "curves.csv")
    assert list(curves["phase"]) == ["head"] * 2 + ["all"] * 4
    assert list(curves["epoch"]) == [1, 2, 3, 4, 5, 6]

    def kill(epoch: int, figures: dict) -> None:
        if epoch == 4:
            raise KilledError

    with pytest.raises(KilledError):
        run(inputs, tmp_path / "broken", two_phases, on_epoch=kill)
    monkeypatch.setattr("components.train.fit_head", None)
    seen = []
    run(inputs, tmp_path / "broken", two_phases, on_epoch=lambda epoch, figures: seen.append(epoch))
    assert seen == [1, 2, 3, 4, 5, 6]
    for file in ("model.keras", "predictions.parquet", "curves.csv"):
        whole, resumed = (tmp_path / name / "out" / file for name in ("whole", "broken"))
        assert whole.read_bytes() == resumed.read_bytes(), file


def test_the_head_alone_is_kept_if_nothing_after_it_is_better(inputs, tmp_path):
    spoilt = {"head": HeadSettings(epochs=20, learning_rate=0.01), "learning_rate": 1e4}
    metrics = run(inputs, tmp_path, SETTINGS.model_copy(update=spoilt))
    assert metrics["epoch"] <= 20
    best = pd.read_csv(tmp_path / "out" / "curves.csv")["val_accuracy"].max()
    answers = pd.read_parquet(tmp_path / "out" / "predictions.parquet").query("split == 'val'")
    right = answers[list(CLASSES)].to_numpy().argmax(axis=1) == answers["label"]
    assert right.mean() == pytest.approx(best)


def test_a_training_starts_from_published_weights(inputs, tmp_path):
    network = models.build("vggface", (8, 8, 1), 3, 32)
    inputs["architecture"].write_text(network.to_json())
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "vgg16.h5", "w") as file:
        file.attrs["layer_names"] = [layer.name for layer in models.body(network)]
        for layer in models.body(network):
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [f"{layer.name}/{v.name}" for v in layer.weights]
            for variable in layer.weights:
                values = rng.normal(0, 0.02, variable.shape)
                group[f"{layer.name}/{variable.name}"] = values
    still = {"learning_rate": 1e-9, "weight_decay": 0.0, "epochs": 1, "warmup_epochs": 0}
    settings = SETTINGS.model_copy(update=still)
    run(inputs, tmp_path, settings, weights=tmp_path / "vgg16.h5")
    trained = keras.models.load_model(tmp_path / "out" / "model.keras")
    with h5py.File(tmp_path / "vgg16.h5") as file:
        published = file["conv5_3/conv5_3/kernel"][()]
    kernel = trained.get_layer("conv5_3").get_weights()[0]
    np.testing.assert_allclose(kernel, published, atol=1e-6)


def test_weights_of_a_network_that_has_none_are_refused(inputs, tmp_path):
    with pytest.raises(InputError, match=r"design\.small\.weights: no weights are published for"):
        run(inputs, tmp_path, weights=tmp_path / "some.h5")


def test_a_checkpoint_of_another_recipe_is_not_used(inputs, tmp_path):
    run_until_killed(inputs, tmp_path)
    seen = []
    other = SETTINGS.model_copy(update={"learning_rate": 0.02, "epochs": 1})
    run(inputs, tmp_path, other, on_epoch=lambda epoch, figures: seen.append(epoch))
    assert seen == [1]


def test_checkpoints_are_gone_when_the_training_is_done(inputs, tmp_path):
    run(inputs, tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def test_a_class_without_a_training_face_is_named(inputs, tmp_path):
    table = pd.read_parquet(inputs["training"] / "training.parquet")
    table[table["label"] != 1].to_parquet(inputs["training"] / "training.parquet")
    with pytest.raises(InputError, match=r"training\.parquet has no face of class happy, which"):
        run(inputs, tmp_path)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_result(inputs, tmp_path):
    run(inputs, tmp_path)
    before = (tmp_path / "out" / "model.keras").read_bytes()
    network = json.loads(inputs["architecture"].read_text())
    for layer in network["config"]["layers"]:
        if layer["class_name"] == "Rescaling":
            layer["config"]["scale"] = 1e38
    inputs["architecture"].write_text(json.dumps(network))
    with pytest.raises(InputError, match=r"the loss became nan in epoch 1, batch \d+; lower"):
        run(inputs, tmp_path)
    assert (tmp_path / "out" / "model.keras").read_bytes() == before


def batches(count: int, **options) -> Batches:
    images = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((8, 8), np.uint8)
    targets = one_hot(np.zeros(count, int), 2)
    return Batches(images, np.arange(count), targets, batch_size=4, **options)


def shown(feed: Batches) -> list[int]:
    return [int(face.mean()) for i in range(len(feed)) for face in feed[i][0]]


def test_evaluation_shows_every_face_once_and_in_order():
    assert shown(batches(7)) == list(range(7))


def test_a_training_epoch_shows_every_face_in_batches_of_one_size():
    still = AugmentSettings(
        flip=False, shift=0, rotate=0, zoom=0, contrast=0, brightness=0, erase=0
    )
    feed = batches(7, augmentation=still)
    assert [len(feed[i][0]) for i in range(len(feed))] == [4, 4]
    assert set(shown(feed)) == set(range(7))


def test_epochs_differ_and_the_same_epoch_does_not():
    feed = batches(16, augmentation=AUGMENT)
    first = feed[0][0]
    feed.start_epoch(1)
    assert not np.array_equal(feed[0][0], first)
    feed.start_epoch(0)
    np.testing.assert_array_equal(feed[0][0], first)
