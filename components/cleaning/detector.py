"""Whether a face detector finds a face: YuNet, from a file that the user puts there.

Made for photographs, it sees a cropped 48-pixel face only when there is some room around it and
the face has the size that it knows.

Source: W. Wu et al., *YuNet: A Tiny Millisecond-level Face Detector* (2023); the model is in
the OpenCV Zoo, `face_detection_yunet_2023mar.onnx`.
"""

from pathlib import Path

import cv2
import numpy as np

from components.errors import InputError

_FACE = 160  # pixels that the picture's longer side is brought to
_ROOM = 48  # pixels around it
_LEAST = 0.02  # confidence below which YuNet says nothing


def confidences(images: np.ndarray, model: Path) -> np.ndarray:
    """YuNet's confidence in its best find in each picture.

    Args:
        images: (N, H, W) or (N, H, W, 3) uint8.
        model: The ONNX file.

    Returns:
        (N,) float32, 0 to 1; 0 where it finds nothing.

    Raises:
        InputError: If the file is missing or no such model.
    """
    if not model.is_file():
        raise InputError(
            f"{model} is missing; put YuNet's .onnx file there, or set clean.detector to null."
        )
    scale = _FACE / max(images.shape[1:3])
    height, width = (round(side * scale) for side in images.shape[1:3])
    size = (width + 2 * _ROOM, height + 2 * _ROOM)
    try:
        detector = cv2.FaceDetectorYN.create(str(model), "", size, _LEAST)
        found = [_confidence(detector, image, (width, height)) for image in images]
        return np.array(found, np.float32)
    except cv2.error as error:
        raise InputError(
            f"{model} is not a YuNet model ({error.err}); download it again from the OpenCV Zoo."
        ) from error


def _confidence(detector: cv2.FaceDetectorYN, image: np.ndarray, size: tuple[int, int]) -> float:
    picture = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    picture = cv2.copyMakeBorder(picture, *[_ROOM] * 4, cv2.BORDER_REPLICATE)
    code = cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_RGB2BGR
    _, faces = detector.detect(cv2.cvtColor(picture, code))
    return 0.0 if faces is None else float(faces[:, -1].max())
