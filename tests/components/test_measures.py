import cv2
import numpy as np
import pytest

from components.measures import NUMBERS, embed, measures


@pytest.fixture
def faces() -> np.ndarray:
    """Smooth pictures that all differ, (200, 48, 48) uint8."""
    coarse = np.random.default_rng(0).integers(40, 200, (200, 6, 6), np.uint8)
    return np.stack([cv2.resize(face, (48, 48)) for face in coarse])


def test_a_blurred_face_is_less_sharp_whatever_its_contrast():
    sharp = np.random.default_rng(0).integers(0, 256, (1, 48, 48), np.uint8)
    blurred = cv2.GaussianBlur(sharp[0], (5, 5), 0).astype(float)
    loud = (blurred - blurred.min()) / np.ptp(blurred) * 255
    measured = measures(np.stack([sharp[0], loud.astype(np.uint8)]))["sharpness"]
    assert measured[1] < measured[0] - 1


def test_colour_faces_are_measured_in_grey(faces):
    colour, channel = np.repeat(faces[..., None], 3, axis=3), faces[..., None]
    for name, values in measures(faces).items():
        np.testing.assert_allclose(measures(colour)[name], values)
        np.testing.assert_allclose(measures(channel)[name], values)
    np.testing.assert_array_equal(embed(colour), embed(faces))
    np.testing.assert_array_equal(embed(channel), embed(faces))


def test_an_embedding_does_not_change_with_light_or_size(faces):
    darker = (faces * 0.5 + 10).astype(np.uint8)
    larger = np.stack([cv2.resize(face, (96, 96)) for face in faces])
    spread = embed(faces).std()
    assert np.abs(embed(darker) - embed(faces)).max() < 0.2 * spread
    assert np.abs(embed(larger) - embed(faces)).max() < 0.2 * spread


def test_faces_that_look_alike_are_near_each_other(faces):
    noise = np.random.default_rng(1).normal(0, 8, faces.shape)
    noisy = np.clip(faces + noise, 0, 255).astype(np.uint8)
    own, again = embed(faces), embed(noisy)
    distances = np.linalg.norm(own[:, None] - again[None], axis=2)
    assert (distances.argmin(axis=1) == np.arange(len(faces))).all()


def test_an_embedding_is_the_same_on_every_machine():
    face = np.arange(48 * 48, dtype=np.uint32).reshape(48, 48) * 7919 % 251
    row = embed(face[None].astype(np.uint8))[0]
    assert row.shape == (NUMBERS,)
    np.testing.assert_allclose(row[:3], [-1.2140, -0.8283, -0.4431], atol=1e-4)


def test_no_faces_have_no_numbers():
    assert embed(np.empty((0, 48, 48), np.uint8)).shape == (0, NUMBERS)
    assert measures(np.empty((0, 48, 48), np.uint8))["contrast"].shape == (0,)
