import cv2
import numpy as np
import pytest

from serving.crops import FRAMINGS, TEMPLATE, aligned, cut, framed
from serving.detection import find, load

GRADIENT = np.add.outer(np.arange(100), np.arange(120)).astype(np.uint8)


def test_a_box_inside_is_cut_as_it_is():
    assert (cut(GRADIENT, np.array([10, 20, 40, 60])) == GRADIENT[20:60, 10:40]).all()


def test_a_box_beyond_the_edge_repeats_the_edge():
    part = cut(GRADIENT, np.array([-10, 80, 20, 110]))
    assert part.shape == (30, 30)
    assert (part[:20, 10:] == GRADIENT[80:, :20]).all()
    assert (part[:20, :10] == GRADIENT[80:, :1]).all()
    assert (part[20:] == part[19]).all()


@pytest.mark.parametrize("box", [(500, 500, 520, 520), (-90, -90, -50, -50), (5, 5, 5, 5)])
def test_a_box_beside_the_picture_or_without_area_is_still_a_picture(box):
    assert cut(GRADIENT, np.array(box)).size > 0


def test_the_frame_is_a_square_about_the_boxs_middle():
    left, top, right, bottom = framed(np.array([10, 0, 50, 100]), (0.9, 0.1))
    assert right - left == pytest.approx(90)
    assert bottom - top == pytest.approx(90)
    assert (left + right) / 2 == 30
    assert (top + bottom) / 2 == pytest.approx(60)


@pytest.mark.parametrize("degrees", [-40, 0, 25])
def test_alignment_undoes_turn_size_and_place(degrees):
    face = np.zeros((100, 100, 3), np.uint8)
    for x, y in TEMPLATE * 100:
        cv2.circle(face, (round(x), round(y)), 4, (255, 255, 255), cv2.FILLED)
    matrix = cv2.getRotationMatrix2D((50, 50), degrees, 1.7)
    matrix[:, 2] += (90, 60)
    turned = cv2.warpAffine(face, matrix, (320, 320))
    landmarks = (TEMPLATE * 100) @ matrix[:, :2].T + matrix[:, 2]
    back = cv2.resize(aligned(turned, landmarks), (100, 100), interpolation=cv2.INTER_AREA)
    assert np.abs(back.astype(int) - face).mean() < 4


def test_a_detected_face_is_cut_as_the_training_faces_are(detectors, drawn):
    """Frames that come back from the detector overlap those that the faces were drawn in."""
    (detector,) = load(detectors, 1).values()
    overlaps = []
    for face in drawn[:20]:
        picture = np.full((300, 300, 3), 128, np.uint8)
        picture[90:210, 100:220] = cv2.resize(face, (120, 120))[..., None]
        found = find(detector, picture, 40, 1)
        if len(found.boxes):
            left, top, right, bottom = framed(found.boxes[0], FRAMINGS["mtcnn"])
            wide = max(min(right, 220) - max(left, 100), 0)
            common = wide * max(min(bottom, 210) - max(top, 90), 0)
            overlaps.append(common / ((right - left) * (bottom - top) + 120**2 - common))
    assert len(overlaps) >= 15
    assert np.median(overlaps) > 0.7
