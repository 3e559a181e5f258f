import keras
import numpy as np
import pytest

from components.views import mean_logits, views

FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 24, 1)).astype(np.float32)


def seen(tta, faces=FACES):
    return [keras.ops.convert_to_numpy(view) for view in views(faces, tta)]


@pytest.mark.parametrize(("tta", "count"), [("none", 1), ("flip", 2), ("ten_crop", 10)])
def test_every_view_has_the_size_of_the_face(tta, count):
    assert [view.shape for view in seen(tta)] == count * [FACES.shape]


@pytest.mark.parametrize("tta", ["flip", "ten_crop"])
def test_the_second_half_of_the_views_mirrors_the_first(tta):
    shown = seen(tta)
    for one, other in zip(shown[: len(shown) // 2], shown[len(shown) // 2 :], strict=True):
        np.testing.assert_array_equal(one[:, :, ::-1], other)


def test_a_crop_is_a_part_of_the_face_and_enlarged():
    ramp = np.tile(np.arange(48, dtype=np.float32)[:, None, None], (1, 1, 48, 1))
    upper_left, upper_right, lower_left, lower_right, middle = seen("ten_crop", ramp)[:5]
    np.testing.assert_array_equal(upper_left, upper_right)
    np.testing.assert_allclose(lower_left - upper_left, 4, atol=1e-4)  # 44 of 48 px
    np.testing.assert_allclose(middle - upper_left, 2, atol=1e-4)
    np.testing.assert_array_equal(lower_left, lower_right)
    assert upper_left.max() == 43


def test_the_answer_is_the_mean_over_the_views_of_each_face():
    faces = keras.Input((48, 24, 1))
    sums = keras.layers.Dense(2, kernel_initializer="ones")(keras.layers.Flatten()(faces * faces))
    network = keras.Model(faces, sums)
    for tta in ("none", "flip", "ten_crop"):
        answers = keras.ops.convert_to_numpy(mean_logits(network, FACES, tta))
        expected = np.mean([(view**2).sum((1, 2, 3)) for view in seen(tta)], axis=0)
        np.testing.assert_allclose(answers, np.stack(2 * [expected], axis=1), rtol=1e-4)
