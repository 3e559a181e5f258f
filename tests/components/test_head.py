"""The first phase of a training: the head alone, on features computed once."""

import keras
import numpy as np
import pytest

from components import head, models
from components.batches import Batches, one_hot
from components.errors import InputError
from components.head import cached_features, fit_head, split
from components.recipe import compile_model
from components.settings import AugmentSettings, HeadSettings, TrainSettings

STILL = AugmentSettings(flip=False, shift=0, rotate=0, zoom=0, contrast=0, brightness=0, erase=0)
SETTINGS = TrainSettings(
    head=HeadSettings(epochs=6, learning_rate=0.02),
    epochs=1,
    batch_size=8,
    optimizer="adamw",
    learning_rate=0.001,
    schedule="cosine",
    patience=None,
    ema=None,
    warmup_epochs=0,
    weight_decay=0.001,
    label_smoothing=0.0,
    draw_labels=False,
    mix=None,
    sam=None,
    sizes=[],
    precision="float32",
    distil=None,
    votes=None,
    refit=None,
    augment=STILL,
    seed=0,
)


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 1), name="faces")
    x = keras.layers.Rescaling(1 / 128, offset=-1)(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="body")(x)
    x = keras.layers.Flatten(name="features")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.2, seed=3)(x)
    logits = keras.layers.Dense(3, name="logits")(x)
    return keras.Model(inputs, logits, name="small")


def batches(count: int, seed: int) -> Batches:
    """Faces whose class is their brightness."""
    labels = np.arange(count) % 3
    images = np.random.default_rng(seed).integers(0, 60, (count, 8, 8)).astype(np.uint8)
    images += (labels * 90).astype(np.uint8)[:, None, None]
    return Batches(images, np.arange(count), one_hot(labels, 3), batch_size=8, augmentation=STILL)


def fit(model: keras.Model, folder):
    return fit_head(model, batches(41, 0), batches(9, 1), SETTINGS, folder, lambda *_: None)


def test_the_head_learns_and_the_body_stays_as_it_is(model, tmp_path):
    body, top = (model.get_layer(name).get_weights() for name in ("body", "logits"))
    curves = fit(model, tmp_path)
    for before, after in zip(body, model.get_layer("body").get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not np.array_equal(top[0], model.get_layer("logits").get_weights()[0])
    assert list(curves["epoch"]) == [1, 2, 3, 4, 5, 6]
    assert curves["val_accuracy"].max() > 0.8


def test_cached_features_train_the_head_that_a_frozen_body_trains(model, tmp_path):
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    for layer in twin.layers[: [layer.name for layer in twin.layers].index("features")]:
        layer.trainable = False
    feed = batches(41, 0)
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "twin.weights.h5",
        monitor="val_accuracy",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )

    keras.utils.set_random_seed(5)
    fit(model, tmp_path)
    keras.utils.set_random_seed(5)
    compile_model(
        twin,
        optimizer=SETTINGS.optimizer,
        learning_rate=SETTINGS.head.learning_rate,
        steps=6 * SETTINGS.head.epochs,
        weight_decay=SETTINGS.weight_decay,
    )
    faces = feed.images[..., None].astype(np.float32)
    weights = {"sample_weight": feed.weights, "batch_size": 8, "epochs": 6, "verbose": 0}
    val = batches(9, 1)
    val_faces = val.images[..., None].astype(np.float32)
    twin.fit(
        faces,
        feed.targets,
        validation_data=(val_faces, val.targets),
        callbacks=[checkpoint],
        **weights,
    )
    twin.load_weights(tmp_path / "twin.weights.h5")
    for cached, frozen in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(cached, frozen, atol=1e-4)


def test_a_face_that_repeats_goes_through_the_body_once(model, tmp_path):
    feed = batches(6, 0)
    feed.rows = np.array([4, 0, 4, 4, 2])
    body, _ = split(model)
    features = cached_features(body, feed, tmp_path / "features.npy")
    assert len(np.load(tmp_path / "features.npy")) == 3
    expected = body(feed.images[feed.rows][..., None].astype(np.float32))
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_features_that_are_there_are_not_computed_again(model, tmp_path, monkeypatch):
    body, _ = split(model)
    first = cached_features(body, batches(6, 0), tmp_path / "features.npy")
    monkeypatch.setattr(head, "predict", None)
    np.testing.assert_array_equal(
        cached_features(body, batches(6, 0), tmp_path / "features.npy"), first
    )


@pytest.mark.parametrize(("name", "size"), [("vggface", 512), ("vggface2", 2048), ("mien", 192)])
def test_networks_part_into_body_and_head(name, size):
    body, top = split(models.build(name, (48, 48, 1), 7, 32))
    assert body.output_shape == top.input_shape == (None, size)
    assert top.output_shape == (None, 7)


def test_a_network_without_a_head_says_so():
    with pytest.raises(
        InputError, match=r"^mini_xception has no head .* set `head: null` for the members"
    ):
        split(models.build("mini_xception", (48, 48, 1), 7, 48))
