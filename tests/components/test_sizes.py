"""Progressive input size: the same weights at another size, and a training that grows."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from components import models, settings
from components.errors import InputError
from components.recipe import predict
from components.settings import SizeSettings
from components.sizes import ends, resized
from components.train import train

PARAMS = Path(__file__).parents[2] / "params.yaml"
CLASSES = ("angry", "happy", "neutral")
HALF = [SizeSettings(until=0.5, size=4)]
SETTINGS = settings.load(PARAMS).train.common.model_copy(
    update={"epochs": 4, "batch_size": 8, "sizes": HALF}
)


@pytest.mark.parametrize("name", ["mini_xception", "mien"])
def test_a_smaller_network_has_the_weights_of_the_larger_one(name):
    model = models.build(name, (48, 48, 1), 7, 48)
    small = resized(model, 32)
    alone = models.build(name, (48, 48, 1), 7, 32)
    alone.set_weights(model.get_weights())
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1)).astype(np.float32)
    np.testing.assert_allclose(predict(small, faces), predict(alone, faces), atol=1e-5)
    small.trainable_variables[0].assign_add(0.5 * np.ones(small.trainable_variables[0].shape))
    np.testing.assert_array_equal(small.get_weights()[0], model.get_weights()[0])


def test_a_stage_too_short_for_an_epoch_is_left_out():
    steps = [SizeSettings(until=0.2, size=4), SizeSettings(until=0.5, size=6)]
    changed = SETTINGS.model_copy(update={"sizes": steps})
    assert ends(changed) == {2: 6, 4: None}
    assert ends(changed.model_copy(update={"epochs": 1})) == {1: None}


def test_the_epoch_that_is_kept_saw_faces_of_the_full_size(training_inputs, tmp_path):
    phases = []
    for seed in range(3):
        metrics = train(
            **training_inputs,
            out=tmp_path / "out",
            settings=SETTINGS.model_copy(update={"seed": seed, "learning_rate": 1e-9}),
            classes=CLASSES,
            checkpoints=tmp_path / "checkpoints",
        )
        curves = pd.read_csv(tmp_path / "out" / "curves.csv").set_index("epoch")
        phases.append(curves.loc[metrics["epoch"], "phase"])
    assert list(curves["phase"]) == ["4 px", "4 px", "all", "all"]
    assert phases == ["all"] * 3
    answers = pd.read_parquet(tmp_path / "out" / "predictions.parquet").query("split == 'val'")
    right = answers[list(CLASSES)].to_numpy().argmax(axis=1) == answers["label"]
    assert right.mean() == pytest.approx(metrics["val.accuracy"])


def test_a_network_that_cannot_work_at_another_size_says_so():
    inputs = keras.Input((8, 8, 1))
    fixed = keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Resizing(8, 8)(inputs)))
    with pytest.raises(InputError, match=r"members\.fixed\.sizes: fixed cannot work at 4 px"):
        resized(keras.Model(inputs, fixed, name="fixed"), 4)
    plain = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    with pytest.raises(InputError, match="plain does not resize its faces"):
        resized(keras.Model(inputs, plain, name="plain"), 4)
