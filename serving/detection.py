"""Finds the faces of a picture: with YuNet where its file is there, else with MTCNN.

`make detector` fetches YuNet's file. MTCNN's networks are in every package. Compared by
`python -m benchmarks.detection`.

Source: W. Wu et al., *YuNet: A Tiny Millisecond-level Face Detector* (2023).
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from serving.mtcnn import MTCNN

YUNET = "face_detection_yunet_2023mar.onnx"
MAX_SIDE = 1280  # pixels; larger pictures are shrunk before the search
SMALLEST = 12  # pixels a side of the smallest face that a detector can find


@dataclass(frozen=True)
class Faces:
    """What a detector found, the largest face first.

    Attributes:
        boxes: (N, 4) float32: left, top, right, bottom, in pixels; may reach beyond the picture.
        landmarks: (N, 5, 2) float32 x and y, ordered as `crops.LANDMARKS`.
        scores: (N,) float32 from 0 to 1.
    """

    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray


class Detector(Protocol):
    """Anything that finds faces."""

    def detect(self, picture: np.ndarray, min_face: int) -> np.ndarray:
        """Returns (N, 15) float32: box, five landmarks, score, as `MTCNN.detect` does."""


class YuNet:
    """YuNet by OpenCV.

    Args:
        file: Its ONNX file.
    """

    # A shoe of the test photographs scores 0.71, its faces at least 0.85.
    THRESHOLD = 0.8

    def __init__(self, file: Path) -> None:
        self._file = str(file)
        self._own = threading.local()  # OpenCV's detector has a state
        self._detector()

    def _detector(self) -> cv2.FaceDetectorYN:
        if not hasattr(self._own, "detector"):
            self._own.detector = cv2.FaceDetectorYN.create(
                self._file, "", (320, 320), self.THRESHOLD
            )
        return self._own.detector

    def detect(self, picture: np.ndarray, min_face: int) -> np.ndarray:
        """Finds the faces of one picture, as `MTCNN.detect` does."""
        height, width = picture.shape[:2]
        detector = self._detector()
        detector.setInputSize((width, height))
        _, found = detector.detect(picture)
        if found is None:
            return np.empty((0, 15), np.float32)
        found = found[np.isfinite(found).all(axis=1)]
        found[:, 2:4] += found[:, :2]
        sides = (found[:, 2:4] - found[:, :2]).max(axis=1)
        return found[sides >= min_face]


def load(folder: Path, threads: int) -> dict[str, Detector]:
    """Loads the detectors of a package, the preferred one first.

    Args:
        folder: Where `pipelines.bento` put their files.
        threads: Threads that one picture may use.
    """
    found: dict[str, Detector] = {}
    if (folder / YUNET).is_file():
        found["yunet"] = YuNet(folder / YUNET)
    return found | {"mtcnn": MTCNN(folder, threads)}


def find(detector: Detector, picture: np.ndarray, min_face: int, max_faces: int) -> Faces:
    """Finds the largest faces of a picture.

    Args:
        detector: One of those that `load` returned.
        picture: (H, W, 3) uint8 BGR.
        min_face: Pixels; faces with a shorter longer side are left out.
        max_faces: At most so many are returned.
    """
    scale = min(1.0, MAX_SIDE / max(picture.shape[:2]))
    size = [max(round(side * scale), 1) for side in picture.shape[1::-1]]
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    # A picture with less than one cell has no place that a detector could look at.
    if min(size) < SMALLEST:
        small = cv2.copyMakeBorder(small, 0, SMALLEST, 0, SMALLEST, cv2.BORDER_REPLICATE)
    found = detector.detect(small, max(SMALLEST, round(min_face * scale)))
    found[:, :14] /= scale
    sides = (found[:, 2:4] - found[:, :2]).max(axis=1)
    found = found[np.argsort(-sides, kind="stable")][
        : min(max_faces, int((sides >= min_face).sum()))
    ]
    return Faces(found[:, :4], found[:, 4:14].reshape(-1, 5, 2), found[:, 14])
