import numpy as np

from components.augment import augment
from components.settings import AugmentSettings

STILL = AugmentSettings(flip=False, shift=0, rotate=0, zoom=0, contrast=0, brightness=0, erase=0)
FACES = np.random.default_rng(0).integers(0, 256, (64, 12, 12), np.uint8)


def changed(faces: np.ndarray = FACES, **settings: float) -> np.ndarray:
    return augment(faces, STILL.model_copy(update=settings), np.random.default_rng(1))


def test_nothing_asked_is_nothing_changed():
    np.testing.assert_array_equal(changed(), FACES)


def test_a_flip_mirrors_about_half_of_the_faces_exactly():
    mirrored = (changed(flip=True) == FACES[:, :, ::-1]).all(axis=(1, 2))
    same = (changed(flip=True) == FACES).all(axis=(1, 2))
    assert (mirrored ^ same).all()
    assert 16 <= mirrored.sum() <= 48


def test_a_face_keeps_its_level_when_it_moves():
    flat = np.full((8, 12, 12), 90, np.uint8)
    np.testing.assert_allclose(changed(flat, shift=0.5, rotate=45, zoom=0.3), 90)


def test_light_changes_stay_inside_the_grey_levels():
    lit = changed(contrast=0.9, brightness=255)
    assert lit.min() >= 0
    assert lit.max() <= 255
    assert not np.array_equal(lit, FACES)


def test_an_erased_rectangle_leaves_the_rest_alone():
    touched = (changed(erase=1.0) != FACES).mean(axis=(1, 2))
    assert (touched > 0).all()
    assert touched.max() < 0.5


def test_the_same_random_state_gives_the_same_faces():
    settings = {"flip": True, "rotate": 10, "erase": 0.5, "contrast": 0.2}
    np.testing.assert_array_equal(changed(**settings), changed(**settings))


def test_colour_faces_keep_their_shape():
    colour = np.repeat(FACES[..., None], 3, axis=3)
    assert changed(colour, rotate=10, erase=1.0).shape == colour.shape
