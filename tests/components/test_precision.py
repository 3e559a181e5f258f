"""Training in bfloat16: another arithmetic, the same weights."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from components import models, settings
from components.precision import in_precision
from components.recipe import predict
from components.train import train

PARAMS = Path(__file__).parents[2] / "params.yaml"
RECIPE = settings.load(PARAMS).train.common.model_copy(
    update={"epochs": 2, "batch_size": 8, "precision": "mixed_bfloat16"}
)
CLASSES = ("angry", "happy", "neutral")
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


def test_what_is_kept_computes_in_float32(training_inputs, tmp_path):
    train(
        **training_inputs,
        out=tmp_path / "out",
        settings=RECIPE,
        classes=CLASSES,
        checkpoints=tmp_path / "checkpoints",
    )
    model = keras.models.load_model(tmp_path / "out" / "model.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    answers = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
    faces = np.load(training_inputs["faces"] / "faces.npy")[answers["row"]][..., None]
    logits = predict(model, faces.astype(np.float32))
    np.testing.assert_allclose(answers[list(CLASSES)], logits, rtol=1e-5, atol=1e-6)
