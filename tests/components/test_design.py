import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import pytest

from components.design import design
from components.errors import InputError
from components.models import searched
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


FOUND = {
    "stem": 8,
    "stride": 2,
    "convolution": "full",
    "squeeze": True,
    "activation": "relu",
    "dropout": 0.2,
    "head": "average",
    "stages": [{"filters": 8, "blocks": 2, "kernel": 3}, {"filters": 16, "blocks": 1, "kernel": 5}],
}


def test_what_an_earlier_search_found_is_built_beside_what_the_last_one_found(make_faces, tmp_path):
    hp = keras_tuner.HyperParameters()
    search = tmp_path / "search"
    search.mkdir()
    (search / "architecture.json").write_text(json.dumps(searched.sample(hp, "article")))
    settings = {
        "searched": DesignSettings(input_size=32),
        "earlier": DesignSettings(network="searched", input_size=32, architecture=FOUND),
    }
    design(make_faces([0], ["train"]), search, tmp_path / "out", settings, classes=3)
    plans = {member: (tmp_path / "out" / f"{member}.json").read_text() for member in settings}
    assert "SeparableConv2D" in plans["searched"]
    assert "SeparableConv2D" not in plans["earlier"]
    built = keras.models.model_from_json(plans["earlier"])
    kernels = [
        layer.kernel.shape for layer in built.layers if isinstance(layer, keras.layers.Conv2D)
    ]
    assert kernels[0] == (3, 3, 1, 8)
    assert (5, 5, 8, 16) in kernels


def test_an_option_of_another_architecture_is_refused_by_its_key(make_faces, tmp_path):
    settings = {"mini_xception": DesignSettings(input_size=16, depth=2)}
    with pytest.raises(InputError, match=r"design.mini_xception.depth: mini_xception has no depth"):
        design(make_faces([0], ["train"]), tmp_path, tmp_path / "out", settings, classes=3)


def test_an_architecture_is_for_the_searchs_networks_alone(make_faces, tmp_path):
    settings = {"mien": DesignSettings(input_size=16, architecture=FOUND)}
    with pytest.raises(InputError, match=r"design.mien.architecture: mien has no architecture"):
        design(make_faces([0], ["train"]), tmp_path, tmp_path / "out", settings, classes=3)
