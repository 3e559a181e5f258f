"""From a picture of a face to what the networks take: the one way, for training and serving."""

import cv2
import numpy as np


def to_face(picture: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Brings a cropped face to the size and channels of the training faces.

    Args:
        picture: (h, w) grey, (h, w, 3) BGR or (h, w, 4) BGRA uint8.
        shape: (H, W, C) to bring it to; C is 1 for grey, 3 for RGB.

    Returns:
        (H, W, C) uint8.
    """
    height, width, channels = shape
    if picture.ndim == 3 and picture.shape[2] == 4:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGRA2BGR)
    if channels == 1 and picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    elif channels == 3:
        code = cv2.COLOR_GRAY2RGB if picture.ndim == 2 else cv2.COLOR_BGR2RGB
        picture = cv2.cvtColor(picture, code)
    # Averaging over the area is what keeps a large picture from aliasing; it cannot enlarge.
    smaller = picture.shape[0] > height or picture.shape[1] > width
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method).reshape(shape)
