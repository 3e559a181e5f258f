"""A step of SAM, beside the formula and beside Keras's own step."""

import keras
import numpy as np
import pytest

from components.recipe import compile_model
from components.sharpness import SharpnessAware

RNG = np.random.default_rng(0)
FACES = RNG.normal(size=(8, 6)).astype(np.float32)
TARGETS = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 8)]
WEIGHTS = np.array([1, 1, 1, 1, 1, 1, 3, 3], np.float32)


def network(*between: keras.layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = x = keras.Input((6,))
    for layer in between:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(3, use_bias=False, name="logits")(x))


def step(model: keras.Model) -> dict[str, float]:
    compile_model(model, optimizer="sgd", learning_rate=0.5, steps=None)
    return model.train_on_batch(FACES, TARGETS, sample_weight=WEIGHTS, return_dict=True)


def slope(kernel: np.ndarray) -> np.ndarray:
    """The gradient of the weighted cross-entropy of a linear classifier."""
    shares = np.exp(FACES @ kernel)
    shares /= shares.sum(axis=1, keepdims=True)
    return FACES.T @ (WEIGHTS[:, None] * (shares - TARGETS)) / len(FACES)


def test_the_gradient_is_that_of_the_worst_place_nearby():
    model = network()
    (kernel,) = model.get_weights()
    own = slope(kernel)
    worst = slope(kernel + 0.7 * own / np.linalg.norm(own))
    step(SharpnessAware(model.inputs, model.outputs, radius=0.7))
    nesterov = 1.9  # of a first step with momentum 0.9
    np.testing.assert_allclose(model.get_weights()[0], kernel - nesterov * 0.5 * worst, atol=1e-5)
    assert np.abs(worst - own).max() > 0.01


def test_no_radius_leaves_keras_own_step_with_its_masks_statistics_and_figures():
    def noisy() -> keras.Model:
        layers = keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=3)
        return network(*layers)

    plain, sharp = noisy(), noisy()
    figures = step(plain), step(SharpnessAware(sharp.inputs, sharp.outputs, radius=1e-9))
    assert figures[0] == pytest.approx(figures[1])
    for own, theirs in zip(sharp.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(own, theirs, atol=1e-6)


def test_statistics_come_from_where_the_weights_are():
    plain, sharp = (network(keras.layers.Dense(4), keras.layers.BatchNormalization()) for _ in "12")
    step(plain)
    step(SharpnessAware(sharp.inputs, sharp.outputs, radius=5.0))
    for name in ("moving_mean", "moving_variance"):
        own, theirs = (getattr(model.layers[2], name).numpy() for model in (sharp, plain))
        np.testing.assert_allclose(own, theirs, rtol=1e-5)
