import numpy as np
import pytest

from components.baselines.visual_words import CELLS, describe, keypoints, root_sift

FACES = np.random.default_rng(0).integers(0, 256, (12, 20, 20), np.uint8)
TRAINING = np.arange(12) < 8


def test_a_face_is_a_row_of_unit_length_with_a_place_for_every_word_in_every_cell():
    features = describe(FACES, TRAINING, words=5, seed=0)
    assert features.shape == (12, 5 * sum(cells**2 for cells in CELLS))
    np.testing.assert_allclose(features.multiply(features).sum(axis=1), 1, rtol=1e-5)


def test_every_patch_is_counted_once_at_every_level():
    words = 5
    features = describe(FACES, TRAINING, words, seed=0).toarray()
    counts = features**2 * len(CELLS) * len(keypoints())
    np.testing.assert_allclose(counts[:, :words].sum(axis=1), len(keypoints()), rtol=1e-4)
    cells = counts[:, words:].reshape(12, -1, words).sum(axis=1)
    np.testing.assert_allclose(cells, counts[:, :words], atol=1e-3)


def test_faces_that_are_not_for_training_leave_the_vocabulary_alone():
    other = FACES.copy()
    other[~TRAINING] = 255 - other[~TRAINING]
    before, after = (describe(faces, TRAINING, 5, 0)[:8].toarray() for faces in (FACES, other))
    np.testing.assert_array_equal(before, after)


def test_a_blank_face_has_patches_without_an_error():
    blank = root_sift(np.full((48, 48), 7, np.uint8))
    assert blank.shape == (len(keypoints()), 128)
    assert np.isfinite(blank).all()


@pytest.mark.parametrize("size", [8, 48, 96])
def test_light_hardly_changes_a_patch(size):
    face = np.random.default_rng(0).integers(0, 120, (size, size), np.uint8)
    lighter = (face.astype(int) * 2).astype(np.uint8)
    assert np.abs(root_sift(face) - root_sift(lighter)).mean() < 0.01
