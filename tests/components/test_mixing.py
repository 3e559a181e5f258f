import numpy as np
import pytest

from components.mixing import drawn, mix
from components.settings import MixSettings

COUNT = 64
# Every face is one grey level, from which its class can be read.
LEVELS = np.arange(COUNT, dtype=np.float32)
FACES = np.tile(LEVELS[:, None, None, None], (1, 12, 10, 1))
TARGETS = np.eye(COUNT, dtype=np.float32)


def mixed(method: str, weights: np.ndarray | None = None):
    settings = MixSettings(method=method, alpha=1.0)
    weights = np.ones(COUNT, np.float32) if weights is None else weights
    return mix(FACES, TARGETS, weights, settings, np.random.default_rng(0))


@pytest.mark.parametrize("method", ["mixup", "cutmix"])
def test_a_target_holds_what_its_face_holds(method):
    faces, targets, weights = mixed(method)
    assert faces.shape == FACES.shape
    assert faces.dtype == targets.dtype == weights.dtype == np.float32
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(weights, 1, rtol=1e-6)
    np.testing.assert_allclose(faces.mean(axis=(1, 2, 3)), targets @ LEVELS, rtol=1e-4)
    assert (targets.max(axis=1) < 0.99).mean() > 0.5


def test_cutmix_pastes_one_rectangle_of_another_face():
    faces, targets, _ = mixed("cutmix")
    for number, face in enumerate(faces[..., 0]):
        strange = face != number
        assert set(face[strange]) <= set(np.flatnonzero(targets[number]))
        rows, columns = strange.any(axis=1), strange.any(axis=0)
        np.testing.assert_array_equal(strange, np.outer(rows, columns))


def test_the_heavier_face_counts_for_more():
    weights = np.ones(COUNT, np.float32)
    weights[::2] = 3
    _, targets, total = mixed("mixup", weights)
    _, even, _ = mixed("mixup")
    for target, before, sum_ in zip(targets, even, total, strict=True):
        expected = before * weights
        np.testing.assert_allclose(sum_, expected.sum(), rtol=1e-5)
        np.testing.assert_allclose(target, expected / expected.sum(), atol=1e-6)


def test_labels_are_drawn_as_often_as_they_have_votes():
    votes = np.tile(np.array([0.7, 0.0, 0.3], np.float32), (5000, 1))
    labels = drawn(votes, np.random.default_rng(0))
    np.testing.assert_array_equal(labels.sum(axis=1), 1)
    np.testing.assert_allclose(labels.mean(axis=0), votes[0], atol=0.03)


def test_a_hard_target_is_drawn_as_it_is():
    np.testing.assert_array_equal(drawn(TARGETS, np.random.default_rng(0)), TARGETS)
