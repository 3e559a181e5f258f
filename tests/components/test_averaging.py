"""The average of the weights, with batch statistics that fit it."""

import keras
import numpy as np
import pytest
from keras import layers

from components.averaging import ValidatedAverage
from components.batches import Batches
from components.recipe import compile_model
from components.settings import AugmentSettings

PLAIN = AugmentSettings(flip=False, shift=0, rotate=0, zoom=0, contrast=0, brightness=0, erase=0)


@pytest.fixture
def validated(tmp_path) -> ValidatedAverage:
    """A network that multiplies by 1, where the average of its weights multiplies by 3."""
    images = np.random.default_rng(0).integers(0, 256, (400, 4, 4), np.uint8)
    targets = np.eye(2, dtype=np.float32)[np.arange(400) % 2]
    batches = Batches(images, np.arange(400), targets, batch_size=8, augmentation=PLAIN)
    faces = keras.Input((4, 4, 1))
    x = layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(faces)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    model = keras.Model(faces, layers.Dense(2)(x))
    compile_model(model, optimizer="sgd", learning_rate=0.1, steps=None, ema=0.9)
    model.optimizer.build(model.trainable_variables)
    average = model.optimizer._model_variables_moving_average[0]
    average.assign(np.full(average.shape, 3.0))
    callback = ValidatedAverage(batches, model, tmp_path / "best.weights.h5", best=0.5)
    callback.set_model(model)
    callback.grey = images.mean()
    return callback


def test_the_statistics_are_those_of_the_averaged_network(validated):
    validated.on_test_begin()
    normalisation = validated.model.layers[2]
    assert float(normalisation.moving_mean[0]) == pytest.approx(3 * validated.grey, rel=0.05)


def test_afterwards_all_is_as_before(validated):
    before = [keras.ops.convert_to_numpy(variable) for variable in validated.model.variables]
    validated.on_test_begin()
    validated.on_test_end({"accuracy": 0.4})
    for variable, value in zip(validated.model.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)
    assert not validated.file.exists()


def test_what_is_kept_is_the_average_with_its_statistics(validated):
    validated.on_test_begin()
    seen = validated.model.get_weights()
    validated.on_test_end({"accuracy": 0.6})
    validated.model.load_weights(validated.file)
    for kept, value in zip(validated.model.get_weights(), seen, strict=True):
        np.testing.assert_array_equal(kept, value)
    assert validated.best == 0.6
