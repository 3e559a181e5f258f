import cv2
import numpy as np
import pytest

from serving.detection import YuNet, find, load
from serving.mtcnn import suppress

# Middle of each foreground face, in pixels.
FACES = {
    "group_outdoors": [(362, 403), (629, 476), (897, 428), (1243, 450), (1579, 430), (1062, 1158)],
    "solvay_1927_detail": [(92, 232), (282, 133), (425, 246), (638, 107), (824, 226), (901, 118)],
}
SHOES = [(417, 1257), (660, 1285), (780, 1310), (1465, 1350), (1600, 1360)]  # in the first


@pytest.fixture(params=["mtcnn", "yunet"])
def detector(request, detectors):
    if request.param == "mtcnn":
        return load(detectors, 2)["mtcnn"]
    return YuNet(request.getfixturevalue("yunet"))


def hits(boxes: np.ndarray, points: list[tuple[float, float]]) -> int:
    """How many of the points lie in a box."""
    return sum(any(b[0] < x < b[2] and b[1] < y < b[3] for b in boxes) for x, y in points)


@pytest.mark.parametrize("name", FACES)
def test_every_face_in_front_is_found_and_nothing_else(detector, photographs, name):
    boxes = find(detector, photographs[name], 32, 100).boxes
    assert hits(boxes, FACES[name]) == 6
    assert len(boxes) == 6


def test_no_shoe_is_a_face(detector, photographs):
    assert hits(find(detector, photographs["group_outdoors"], 12, 100).boxes, SHOES) == 0


@pytest.mark.parametrize("change", ["dark", "small", "turned"])
def test_dark_small_and_turned_faces_are_found(detector, photographs, change):
    picture, faces = photographs["solvay_1927_detail"], np.array(FACES["solvay_1927_detail"])
    if change == "dark":
        picture = (picture * 0.1).astype(np.uint8)
    elif change == "small":
        picture, faces = cv2.resize(picture, None, fx=0.3, fy=0.3), faces * 0.3
    else:
        height, width = picture.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 20, 1)
        matrix[:, 2] += 200
        picture = cv2.warpAffine(picture, matrix, (width + 400, height + 400))
        faces = faces @ matrix[:, :2].T + matrix[:, 2]
    assert hits(find(detector, picture, 12, 100).boxes, [tuple(face) for face in faces]) >= 5


@pytest.mark.parametrize("degrees", [60, 180])
def test_faces_at_any_angle_are_found_when_asked_for(detectors, crowd, degrees):
    detector = load(detectors, 1)["mtcnn"]
    middles = np.array([(140, 120), (460, 120), (140, 360), (460, 360)], float)
    matrix = cv2.getRotationMatrix2D((320, 240), degrees, 1)
    matrix[:, 2] += (80, 160)
    picture = cv2.warpAffine(crowd, matrix, (800, 800), borderValue=(128, 128, 128))
    moved = [tuple(point) for point in middles @ matrix[:, :2].T + matrix[:, 2]]
    assert hits(find(detector, picture, 60, 100).boxes, moved) < 3
    found = find(detector, picture, 60, 100, turned=True)
    assert hits(found.boxes, moved) == 4
    right, left = found.landmarks[:, 0], found.landmarks[:, 1]
    angles = np.degrees(np.arctan2(*(left - right).T[::-1]))
    off = np.abs((angles + degrees + 180) % 360 - 180)
    assert np.median(off) < 15  # one of these drawn faces looks as good upside down


def test_drawn_faces_are_found_where_they_are(detectors, crowd):
    found = find(load(detectors, 1)["mtcnn"], crowd, 40, 100)
    assert hits(found.boxes, [(140, 120), (460, 120), (140, 360), (460, 360)]) == 4


def test_landmarks_are_the_persons_own_right_and_left(detectors, crowd):
    found = find(load(detectors, 1)["mtcnn"], crowd, 40, 100)
    right_eye, left_eye, nose, right_mouth, left_mouth = found.landmarks.transpose(1, 0, 2)
    assert (right_eye[:, 0] < left_eye[:, 0]).all()
    assert (right_mouth[:, 0] < left_mouth[:, 0]).all()
    assert (right_eye[:, 1] < nose[:, 1]).all()
    assert (nose[:, 1] < left_mouth[:, 1]).all()


def test_the_largest_faces_are_kept_and_small_ones_left_out(detectors, crowd, drawn):
    detector = load(detectors, 1)["mtcnn"]
    picture = crowd.copy()
    picture[180:240, 280:340] = cv2.resize(drawn[4], (60, 60))[..., None]
    everything = find(detector, picture, 30, 100).boxes
    assert len(everything) == 5
    assert hits(everything[-1:], [(310, 210)]) == 1
    assert hits(find(detector, picture, 90, 100).boxes, [(310, 210)]) == 0
    assert (find(detector, picture, 30, 2).boxes == everything[:2]).all()


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (11, 400), (13, 13), (14, 300)])
def test_a_picture_without_room_for_a_face_has_none(detector, shape, level):
    for turned in (False, True):
        picture = np.full((*shape, 3), level, np.uint8)
        assert not len(find(detector, picture, 32, 10, turned).boxes)


@pytest.mark.parametrize("box", [(0, 0, 1e7, 1e7), (-9e4, 0, -8e4, 9), (0, 0, np.nan, np.inf)])
def test_a_box_that_no_face_can_have_is_left_out(box):
    class Confused:
        def detect(self, picture, min_face):
            return np.array([[*box, *np.zeros(10), 0.99]], np.float32)

    assert not len(find(Confused(), np.zeros((100, 100, 3), np.uint8), 32, 10).boxes)


def test_a_large_picture_gives_boxes_in_its_own_pixels(detectors, crowd):
    detector = load(detectors, 1)["mtcnn"]
    large = cv2.resize(crowd, None, fx=4, fy=4)
    boxes = find(detector, large, 100, 100).boxes
    assert hits(boxes, [(560, 480), (1840, 480), (560, 1440), (1840, 1440)]) == 4


def test_of_boxes_that_overlap_the_best_is_kept():
    boxes = np.array([[0, 0, 10, 10, 0.8], [1, 1, 11, 11, 0.9], [30, 0, 40, 10, 0.7]])
    assert suppress(boxes, 0.5)[:, 4].tolist() == [0.9, 0.7]
    inner = np.array([[0, 0, 40, 40, 0.9], [5, 5, 15, 15, 0.8]])
    assert len(suppress(inner, 0.5)) == 2
    assert len(suppress(inner, 0.5, "smaller")) == 1
