"""From a detected face to the crop that the ensemble takes.

A detector's box is not what the training faces were cut by. `FRAMINGS` says where FER-2013's
frame lies in relation to each detector's box; `python -m benchmarks.framing` measures it.
"""

import cv2
import numpy as np

# Side of the training frame, and how far its centre lies below that of the box, in lengths
# of the box's longer side; medians over FER-2013.
FRAMINGS = {"mtcnn": (0.945, 0.0), "yunet": (1.025, 0.005)}
# "right" and "left" are the person's own: a right eye is on the left of a picture.
LANDMARKS = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
# Where they lie in FER-2013's frame, from 0 to 1; medians over both detectors.
TEMPLATE = np.array([(0.31, 0.392), (0.68, 0.39), (0.487, 0.6), (0.342, 0.762), (0.648, 0.763)])


def cut(picture: np.ndarray, box: np.ndarray, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """Cuts a box out of a picture.

    Args:
        picture: (H, W, ...) of any type.
        box: Left, top, right, bottom; may reach beyond the picture.
        border: What fills the part beyond, one of OpenCV's border types.

    Returns:
        (h, w, ...): at least one pixel.
    """
    height, width = picture.shape[:2]
    left, top = (round(float(edge)) for edge in box[:2])
    right, bottom = max(round(float(box[2])), left + 1), max(round(float(box[3])), top + 1)
    # A part of the picture must be left for its edge to be repeated.
    x0, x1 = min(max(left, 0), width - 1), max(min(right, width), 1)
    y0, y1 = min(max(top, 0), height - 1), max(min(bottom, height), 1)
    inside = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    beyond = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    return cv2.copyMakeBorder(inside, *beyond, border) if any(beyond) else inside


def framed(box: np.ndarray, framing: tuple[float, float]) -> np.ndarray:
    """The square that a training face of this box would have been cut by.

    Args:
        box: Left, top, right, bottom, as a detector gives them.
        framing: Side of the square and how far its centre lies below the box's, both in
            lengths of the box's longer side.

    Returns:
        (4,) float64: left, top, right, bottom.
    """
    longer = max(box[2] - box[0], box[3] - box[1])
    side, lower = framing
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2 + lower * longer
    half = side * longer / 2
    return np.array([x - half, y - half, x + half, y + half])


def aligned(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Turns, moves and scales a face so that its landmarks lie where FER-2013 has them.

    Args:
        picture: (H, W, 3) uint8.
        landmarks: (5, 2) x and y, ordered as `LANDMARKS`.

    Returns:
        (side, side, 3) uint8, about as large as the face is in the picture.
    """
    scale, rotation, shift = _similarity(TEMPLATE, landmarks)
    side = int(np.clip(round(scale), 8, 512))
    matrix = np.hstack([scale / side * rotation, shift[:, None]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        picture, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def _similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Least-squares scale, rotation and shift from (n, 2) points to others.

    Source: S. Umeyama, *Least-squares estimation of transformation parameters between two
    point patterns* (1991).
    """
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    moved = source - centre
    left, sizes, right = np.linalg.svd((target - goal).T @ moved)
    mirror = np.diag([1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ mirror @ right
    scale = float((sizes * np.diag(mirror)).sum() / (moved**2).sum())
    return scale, rotation, goal - scale * rotation @ centre
