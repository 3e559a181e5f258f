import keras
import numpy as np
import pytest

from components.views import SHARES, mean_logits, views

FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 24, 1)).astype(np.float32)


def seen(tta, faces=FACES):
    return [keras.ops.convert_to_numpy(view) for view in views(faces, tta)]


@pytest.mark.parametrize(("tta", "count"), [("none", 1), ("flip", 2), ("two_scales", 4)])
def test_every_view_has_the_size_of_the_face(tta, count):
    assert [view.shape for view in seen(tta)] == count * [FACES.shape]
    assert len(SHARES[tta]) == count
    assert sum(SHARES[tta]) == pytest.approx(1)


@pytest.mark.parametrize("tta", ["flip", "two_scales"])
def test_the_second_half_of_the_views_mirrors_the_first(tta):
    shown = seen(tta)
    for one, other in zip(shown[: len(shown) // 2], shown[len(shown) // 2 :], strict=True):
        np.testing.assert_array_equal(one[:, :, ::-1], other)


def test_the_second_scale_is_the_middle_of_the_face_enlarged():
    ramp = np.tile(np.arange(48, dtype=np.float32)[:, None, None], (1, 1, 48, 1))
    whole, middle = seen("two_scales", ramp)[:2]
    np.testing.assert_array_equal(whole, ramp)
    assert (middle.min(), middle.max()) == (3, 44)  # rows 3 to 44 are 42 of 48 px
    steps = np.diff(middle[0, :, 0, 0])[1:-1]  # at the edges there is nothing to interpolate with
    np.testing.assert_allclose(steps, 42 / 48, atol=1e-3)


def test_the_answer_is_a_mean_over_the_views_of_each_face():
    faces = keras.Input((48, 24, 1))
    energy = keras.layers.Dense(2, kernel_initializer="ones")(keras.layers.Flatten()(faces * faces))
    network = keras.Model(faces, energy)
    for tta in ("none", "flip", "two_scales"):
        answers = keras.ops.convert_to_numpy(mean_logits(network, FACES, tta))
        sums = [(view**2).sum((1, 2, 3)) for view in seen(tta)]
        expected = np.average(sums, axis=0, weights=SHARES[tta])
        np.testing.assert_allclose(answers, np.stack(2 * [expected], axis=1), rtol=1e-4)
