import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from components import models
from components.baselines.cnn import penultimate
from components.recipe import predict


@pytest.mark.parametrize(("name", "width"), [("mini_xception", 128), ("vggface", 128)])
def test_features_are_what_the_last_layer_reads(name, width):
    model = models.build(name, (40, 40, 1), 7, 32)
    faces = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 1)).astype(np.float32)
    assert predict(penultimate(model), faces).shape == (2, width)


def test_a_dense_head_on_the_features_gives_the_logits():
    model = models.build("vggface", (40, 40, 1), 7, 32)
    faces = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 1)).astype(np.float32)
    kernel, bias = model.layers[-1].get_weights()
    logits = predict(penultimate(model), faces) @ kernel + bias
    np.testing.assert_allclose(logits, predict(model, faces), rtol=1e-4, atol=1e-5)
