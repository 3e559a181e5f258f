import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest

from components.design import design
from components.errors import InputError
from components.settings import DesignSettings


def test_options_shape_the_network_and_pretrained_weights_do_not(make_faces, tmp_path):
    faces, out = make_faces([0, 1], ["train"] * 2), tmp_path / "out"
    settings = {
        "mien": DesignSettings(input_size=16, width=0.25, depth=2),
        "vggface": DesignSettings(input_size=32, dropout=0.1, weights="weights/some.h5"),
    }
    metrics = design(faces, tmp_path / "search", out, settings, classes=3)
    plans = {member: (out / f"{member}.json").read_text() for member in settings}
    ours = keras.models.model_from_json(plans["mien"])
    assert ours.count_params() == metrics["mien.parameters"]
    assert sum(isinstance(layer, keras.layers.Add) for layer in ours.layers) == 6  # 3 stages of 2
    assert ours.layers[-3].output.shape == (None, 48)  # a quarter of 192
    rates = [
        layer["config"]["rate"]
        for layer in json.loads(plans["vggface"])["config"]["layers"]
        if layer["class_name"] == "Dropout"
    ]
    assert rates == [0.1, 0.1]
    assert "some.h5" not in plans["vggface"]


def test_two_members_may_be_one_network(make_faces, tmp_path):
    settings = {
        "mien": DesignSettings(input_size=16, width=0.25),
        "mien_2": DesignSettings(network="mien", input_size=16, width=0.25),
    }
    metrics = design(make_faces([0], ["train"]), tmp_path, tmp_path / "out", settings, classes=3)
    assert metrics["mien_2.parameters"] == metrics["mien.parameters"]
    plans = [(tmp_path / "out" / f"{member}.json").read_text() for member in settings]
    assert plans[0] == plans[1]


def test_an_option_of_another_architecture_is_refused_by_its_key(make_faces, tmp_path):
    settings = {"mini_xception": DesignSettings(input_size=16, depth=2)}
    with pytest.raises(InputError, match=r"design.mini_xception.depth: mini_xception has no depth"):
        design(make_faces([0], ["train"]), tmp_path, tmp_path / "out", settings, classes=3)
