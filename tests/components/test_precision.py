"""Training in bfloat16: another arithmetic, the same weights. What is kept: `test_train.py`."""

import keras
import numpy as np
import pytest

from components import fused, models
from components.precision import in_precision
from components.recipe import predict

NETWORKS = ("mini_xception", "detect_emotion", "attention_cnn", "mien")


@pytest.mark.parametrize("name", NETWORKS)
def test_only_the_arithmetic_differs(name):
    model = models.build(name, (48, 48, 1), 7, 48)
    learner = in_precision(model, "mixed_bfloat16")
    assert {keras.backend.standardize_dtype(w.dtype) for w in learner.weights} <= {
        "float32",
        "uint32",  # what dropout draws by
    }
    for own, other in zip(model.get_weights(), learner.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    convolutions = [layer for layer in learner.layers if "conv" in layer.name]
    assert {layer.compute_dtype for layer in convolutions} == {"bfloat16"}

    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1)).astype(np.float32)
    exact, rounded = predict(model, faces), predict(learner, faces)
    assert rounded.dtype == np.float32
    assert 0 < np.abs(exact - rounded).max() < 0.05 * np.abs(exact).max()


def test_float32_is_the_network_itself():
    model = models.build("mini_xception", (48, 48, 1), 7, 48)
    assert in_precision(model, "float32") is model


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [(16, 6, 6, 24), (16, 24)])
def test_one_pass_normalises_and_learns_like_keras(shape, dtype):
    rng = np.random.default_rng(0)
    faces = rng.normal(3, 2, shape).astype(np.float32)
    found = []
    for kind in (keras.layers.BatchNormalization, fused.BatchNormalization):
        inputs = keras.Input(shape[1:])
        layer = kind(dtype=dtype)
        outputs = keras.layers.Activation("linear", dtype="float32")(layer(inputs))
        model = keras.Model(inputs, outputs)
        layer.gamma.assign(np.linspace(0.5, 2, 24))
        layer.beta.assign(np.linspace(-1, 1, 24))
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        loss = model.train_on_batch(faces, faces**2)
        found.append([loss, *model.get_weights(), predict(model, faces)])
    for keras_own, one_pass in zip(*found, strict=True):
        # Its running variance is that of a sample, and bfloat16 has eight bits.
        rtol = 2e-2 if dtype == "mixed_bfloat16" else 2e-3
        np.testing.assert_allclose(one_pass, keras_own, rtol=rtol, atol=1e-3)
