"""What every architecture must do, whoever wrote it, on whatever backend Keras has."""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from components import models
from components.archive import save_model
from components.cost import macs
from components.errors import InputError
from components.recipe import compile_model, predict

MODULE = {"filters": 16, "kernel": 3, "stride": 2, "bias": True, "activation": "selu"}
MODULE |= {"norm_shortcut": True, "norm_first": True, "norm_second": False, "dropout": 0.1}
ARCHITECTURE = {"activation": "relu", "modules": [MODULE] * 2, "head": "max"}
OPTIONS = {"searched": {"architecture": ARCHITECTURE}}
PARAMETERS = {  # of the paper, the article, the report; ours as documented
    "attention_cnn": 705_178,
    "detect_emotion": 230_807,
    "efficientnet_b3": 10_794_287,
    "efficientnet_b4": 17_686_367,
    "mien": 725_809,
    "mini_xception": 58_423,
    "resnet50": 23_602_055,
    "searched": 6_327,
    "vggface": 15_045_959,
    "vggface2": 29_862_855,
}
BODIES = {
    "attention_cnn": 703_827,
    "efficientnet_b3": 10_783_528,
    "efficientnet_b4": 17_673_816,
    "mien": 724_458,
    "resnet50": 23_587_712,
    "vggface": 14_714_688,
    "vggface2": 23_561_152,
}
FACES = np.random.default_rng(0).integers(0, 256, (4, 40, 36, 1)).astype(np.float32)

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
on_tensorflow = pytest.mark.skipif(
    not ON_TENSORFLOW, reason="the export to ONNX goes through TensorFlow"
)
# XLA takes longer to compile a network well than a test takes to run it.
COMPILE_FAST = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
# XLA compiles whole networks, which takes long enough for one of the two EfficientNets.
NAMES = [name for name in models.names() if ON_TENSORFLOW or name != "efficientnet_b4"]


def build(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    return models.build(name, (40, 36, 1), 7, 32, **OPTIONS.get(name, {}))


def logits_of(model: keras.Model, faces: np.ndarray) -> np.ndarray:
    """What `predict` returns, where it can be had without compiling the network first."""
    if ON_TENSORFLOW:
        return keras.ops.convert_to_numpy(model(faces, training=False))
    return predict(model, faces)


def with_and_without_onnx(model: keras.Model, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """What its graph, and what Keras, answers as an ensemble of this network alone."""
    import onnxruntime

    from components.package import join

    how = {"weights": {"one": 1.0}, "temperature": 1.0, "tta": "none"}
    ensemble = join({"one": model}, (40, 36, 1), **how)
    expected = logits_of(ensemble, FACES.astype(np.uint8))
    ensemble.export(folder / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    (faces,) = session.get_inputs()
    (answers,) = session.run(None, {faces.name: FACES.astype(np.uint8)})
    return answers, expected


@pytest.mark.parametrize("name", NAMES, scope="class")
class TestEveryArchitecture:
    @pytest.fixture(scope="class")
    def model(self, name):
        return build(name)

    def test_it_turns_faces_of_any_shape_into_finite_logits(self, model):
        logits = logits_of(model, FACES)
        assert logits.shape == (4, 7)
        assert np.isfinite(logits).all()
        assert not np.allclose(logits.sum(axis=1), 1)

    def test_it_has_the_documented_parameters(self, name, model):
        assert model.count_params() == PARAMETERS[name]
        assert sum(layer.count_params() for layer in models.body(model)) == BODIES.get(name, 0)

    def test_it_has_no_convolution_that_corrupts_memory(self, model):
        """See `models.shortcut`: strided 1×1 ones on few channels, with TensorFlow and oneDNN."""
        thin = [
            layer.name
            for layer in model.layers
            if type(layer) is keras.layers.Conv2D
            if layer.kernel_size == (1, 1) and layer.strides != (1, 1)
            if layer.kernel.shape[2] < 16
        ]
        assert thin == []

    def test_it_is_the_same_after_saving_and_the_file_too(self, model, tmp_path):
        for file in ("first.keras", "second.keras"):
            save_model(model, tmp_path / file)
        again = keras.models.load_model(tmp_path / "first.keras")
        before, after = (logits_of(m, FACES) for m in (model, again))
        np.testing.assert_allclose(before, after, rtol=1e-5)
        assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()

    @on_tensorflow
    def test_its_onnx_graph_answers_as_it_does(self, name, model, tmp_path):
        if name == "efficientnet_b4":
            pytest.skip("its code is that of efficientnet_b3, and to export it takes a minute")
        answers, expected = with_and_without_onnx(model, tmp_path)
        np.testing.assert_allclose(answers, expected, atol=1e-4)

    def test_a_gradient_reaches_every_weight(self, model):
        for weight in model.trainable_weights:  # a block that starts as the identity is shut
            if weight.path.endswith("gamma"):
                weight.assign(np.ones(weight.shape))
        compile_model(model, optimizer="sgd", learning_rate=0.01, steps=10)
        model.run_eagerly = ON_TENSORFLOW  # tracing a large network costs more than one step
        before = [keras.ops.convert_to_numpy(w).copy() for w in model.trainable_weights]
        model.train_on_batch(FACES, np.eye(7, dtype=np.float32)[:4])
        still = [
            w.path
            for w, old in zip(model.trainable_weights, before, strict=True)
            if np.array_equal(keras.ops.convert_to_numpy(w), old)
        ]
        assert still == []

    def test_it_takes_colour_at_its_smallest_size_and_no_smaller(self, name):
        smallest, options = models.smallest_input(name), OPTIONS.get(name, {})
        model = models.build(name, (40, 36, 3), 7, smallest, **options)
        assert np.isfinite(logits_of(model, np.repeat(FACES, 3, axis=-1))).all()
        said = rf"{name} cannot take faces of {smallest - 1} px.*smallest input_size is {smallest}"
        with pytest.raises(InputError, match=said):
            models.build(name, (40, 36, 3), 7, smallest - 1, **options)


def test_predict_gives_what_the_model_gives():
    model = build("mini_xception")
    np.testing.assert_allclose(predict(model, FACES), logits_of(model, FACES), atol=1e-5)


def test_multiply_accumulates_of_vgg16_at_224_are_those_of_the_literature():
    model = models.build("vggface", (48, 48, 1), 7, 224)
    assert macs(model) / 1e9 == pytest.approx(15.35, abs=0.02)  # 15.47 with VGG's own head


@pytest.mark.parametrize(("options", "millions"), [({}, 74), ({"depth": 2}, 146)])
def test_ours_costs_what_it_says(options, millions):
    model = models.build("mien", (48, 48, 1), 7, 48, **options)
    assert round(macs(model) / 1e6) == millions


@pytest.mark.parametrize("name", ["detect_emotion", "mini_xception"])
def test_with_the_articles_defect_no_logit_is_negative(name):
    keras.utils.set_random_seed(0)
    sound, defective = (
        models.build(name, (40, 36, 1), 7, 32, relu_logits=defect) for defect in (False, True)
    )
    defective.set_weights(sound.get_weights())
    logits = logits_of(sound, FACES)
    assert (logits < 0).any()
    np.testing.assert_allclose(logits_of(defective, FACES), np.maximum(logits, 0), atol=1e-6)


@pytest.mark.parametrize("name", ["mien", "searched"])
def test_behind_normalised_local_contrast_the_light_makes_no_difference(name):
    keras.utils.set_random_seed(0)
    options = OPTIONS.get(name, {}) | {"normalise": "local_contrast"}
    model = models.build(name, (40, 36, 1), 7, 32, **options)
    lamp = np.linspace(0, 1, 36, dtype=np.float32)[None, None, :, None]
    dark = 0.25 * FACES + 20 * lamp  # a quarter of the contrast, and brighter on one side
    np.testing.assert_allclose(logits_of(model, dark), logits_of(model, FACES), atol=0.05)
    assert not np.allclose(logits_of(model, FACES[:, ::-1]), logits_of(model, FACES), atol=0.05)
    assert np.isfinite(logits_of(model, np.zeros_like(FACES))).all()


@on_tensorflow
def test_normalised_local_contrast_is_in_the_onnx_graph(tmp_path):
    model = models.build("mien", (40, 36, 1), 7, 32, width=0.25, normalise="local_contrast")
    answers, expected = with_and_without_onnx(model, tmp_path)
    np.testing.assert_allclose(answers, expected, atol=1e-4)


def test_an_unknown_architecture_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"no architecture 'vgface'.*vggface2"):
        models.build("vgface", (48, 48, 1), 7, 48)


def test_an_option_that_an_architecture_does_not_have_is_refused():
    with pytest.raises(InputError, match=r"design.vggface.width: vggface has no width"):
        models.build("vggface", (48, 48, 1), 7, 48, width=2)


@on_tensorflow
def test_all_of_this_holds_on_jax_too():
    """But for the export, which needs TensorFlow; a process has one backend for life.

    And but for the largest, which are Keras's own bodies and take XLA minutes to compile:
    `KERAS_BACKEND=jax python -m pytest tests/components/models` has them.
    """
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", __file__]
    command += ["-k", "not efficientnet and not resnet50 and not vggface2"]
    environment = os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": COMPILE_FAST}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "passed" in done.stdout
