import keras
import numpy as np
import pytest
from keras import layers

from components import models
from components.evaluation.gradcam import grad_cam

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="asks it")


@pytest.fixture
def corner() -> np.ndarray:
    """A black face with a bright corner, (1, 16, 16, 1) uint8."""
    face = np.zeros((1, 16, 16, 1), np.uint8)
    face[:, :4, :4] = 255
    return face


def brightness(sign: float) -> keras.Model:
    """Class 1 is for light places, if the sign is positive."""
    inputs = keras.Input((16, 16, 1))
    x = layers.AveragePooling2D(4, name="maps")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.layers[-1].set_weights([np.array([[0.0, sign]]), np.zeros(2)])
    return model


def test_the_place_that_speaks_for_the_class_is_hot(corner):
    (heat,) = grad_cam(brightness(1.0), corner, np.array([1]))
    assert heat.shape == (16, 16)
    assert heat[:2, :2].min() == pytest.approx(1)
    assert heat[8:, 8:].max() == 0


def test_a_place_that_speaks_against_it_is_not(corner):
    assert not grad_cam(brightness(-1.0), corner, np.array([1])).any()


def test_maps_that_a_branch_goes_around_are_not_all_that_was_seen(corner):
    inputs = keras.Input((16, 16, 1))
    maps = layers.AveragePooling2D(4)(inputs)
    halved = layers.AveragePooling2D(2)(maps)
    both = layers.Add()([layers.AveragePooling2D(2)(halved), layers.AveragePooling2D(4)(maps)])
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(both)))
    model.layers[-1].set_weights([np.array([[0.0, 1.0]]), np.zeros(2)])
    (heat,) = grad_cam(model, corner, np.array([1]))
    assert heat[:2, :2].min() == pytest.approx(1)
    assert heat[8:, 8:].max() == 0


@on_tensorflow
@pytest.mark.parametrize("name", ["mini_xception", "vggface", "attention_cnn"])
def test_the_heat_is_that_of_the_gradient(name):
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = models.build(name, (48, 48, 1), 7, 48)
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1), np.uint8)
    chosen = np.array([3, 5])
    heat = grad_cam(model, faces, chosen)

    wide = [layer.output for layer in model.layers if len(layer.output.shape) == 4]
    last = [output for output in wide if output.shape[1] * output.shape[2] > 1][-1]
    both = keras.Model(model.input, [last, model.output])
    with tf.GradientTape() as tape:
        maps, logits = both(faces.astype(np.float32), training=False)
        score = tf.reduce_sum(tf.gather(logits, chosen, axis=1, batch_dims=1))
    weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2), keepdims=True)
    expected = tf.nn.relu(tf.reduce_sum(maps * weights, axis=-1, keepdims=True))
    expected /= tf.reduce_max(expected, axis=(1, 2, 3), keepdims=True)
    expected = tf.image.resize(expected, (48, 48))[..., 0].numpy()
    np.testing.assert_allclose(heat, expected, atol=0.03)
