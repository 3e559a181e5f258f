"""What every architecture must do, whoever wrote it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from components import models
from components.archive import save_model
from components.cost import macs
from components.errors import InputError
from components.recipe import compile_model, predict

ARCHITECTURE = {
    "head": "max",
    "blocks": [
        {
            "filters": 16,
            "kernel": 3,
            "stride": 2,
            "bias": True,
            "batch_norm": True,
            "activation": "selu",
            "dropout": 0.1,
        }
    ]
    * 2,
}
OPTIONS = {"searched": {"architecture": ARCHITECTURE}}
PARAMETERS = {"mini_xception": 58_423, "vggface": 15_045_959, "vggface2": 29_862_855}
FACES = np.random.default_rng(0).integers(0, 256, (4, 40, 36, 1)).astype(np.float32)


def build(name: str, channels: int = 1) -> keras.Model:
    keras.utils.set_random_seed(0)
    return models.build(name, (40, 36, channels), 7, 32, **OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", models.names())
class TestEveryArchitecture:
    def test_it_turns_faces_of_any_shape_into_finite_logits(self, name):
        logits = predict(build(name), FACES)
        assert logits.shape == (4, 7)
        assert np.isfinite(logits).all()
        assert not np.allclose(logits.sum(axis=1), 1)

    def test_it_takes_colour(self, name):
        colour = np.repeat(FACES, 3, axis=-1)
        assert predict(build(name, channels=3), colour).shape == (4, 7)

    def test_it_is_the_same_after_saving_and_the_file_too(self, name, tmp_path):
        model = build(name)
        for file in ("first.keras", "second.keras"):
            save_model(model, tmp_path / file)
        again = keras.models.load_model(tmp_path / "first.keras")
        before, after = (predict(m, FACES) for m in (model, again))
        np.testing.assert_allclose(before, after, rtol=1e-5)
        assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()

    def test_every_weight_learns(self, name):
        model = build(name)
        for weight in model.trainable_weights:  # a block that starts as the identity is shut
            if weight.path.endswith("gamma"):
                weight.assign(np.ones(weight.shape))
        compile_model(model, optimizer="sgd", learning_rate=0.01, steps=10)
        before = [w.numpy().copy() for w in model.trainable_weights]
        model.train_on_batch(FACES, np.eye(7, dtype=np.float32)[:4])
        still = [
            w.path
            for w, old in zip(model.trainable_weights, before, strict=True)
            if np.array_equal(w.numpy(), old)
        ]
        assert still == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_of_the_paper_and_the_report(name):
    model = models.build(name, (48, 48, 1), 7, 48)
    assert model.count_params() == PARAMETERS[name]


@pytest.mark.parametrize(("name", "body"), [("vggface", 14_714_688), ("vggface2", 23_561_152)])
def test_bodies_have_the_parameters_of_the_published_weights(name, body):
    model = models.build(name, (48, 48, 1), 7, 48)
    counted = sum(layer.count_params() for layer in model.layers if layer.name.startswith("conv"))
    assert counted == body


def test_multiply_accumulates_of_vgg16_at_224_are_those_of_the_literature():
    model = models.build("vggface", (48, 48, 1), 7, 224)
    assert macs(model) / 1e9 == pytest.approx(15.35, abs=0.02)  # 15.47 with VGG's own head


def test_an_unknown_architecture_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"no architecture 'vgface'.*vggface2"):
        models.build("vgface", (48, 48, 1), 7, 48)


def test_a_face_too_small_for_the_body_is_refused():
    with pytest.raises(InputError, match=r"vggface cannot take faces of 24 px.*32"):
        models.build("vggface", (48, 48, 1), 7, 24)
