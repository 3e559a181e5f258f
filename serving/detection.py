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

from serving.mtcnn import MTCNN, suppress

YUNET = "face_detection_yunet_2023mar.onnx"
MAX_SIDE = 1280  # pixels; larger pictures are shrunk before the search
TURNS = range(45, 360, 45)  # degrees, when faces at any angle are looked for
DARK = 100  # grey level of a picture's brightest hundredth, below which it is made brighter
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


def find(
    detector: Detector, picture: np.ndarray, min_face: int, max_faces: int, turned: bool = False
) -> Faces:
    """Finds the largest faces of a picture.

    Args:
        detector: One of those that `load` returned.
        picture: (H, W, 3) uint8 BGR.
        min_face: Pixels; faces with a shorter longer side are left out.
        max_faces: At most so many are returned.
        turned: Whether to look for faces at any angle, which takes eight times as long. The
            box of such a face is upright; its landmarks say how it is turned.
    """
    scale = min(1.0, MAX_SIDE / max(picture.shape[:2]))
    size = [max(round(side * scale), 1) for side in picture.shape[1::-1]]
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    if min(size) < SMALLEST:  # no place that a detector could look at
        return Faces(*(np.empty((0, *shape), np.float32) for shape in ((4,), (5, 2), ())))
    small = _lit(small)
    least = max(SMALLEST, round(min_face * scale))
    found = detector.detect(small, least)
    if turned:
        found = _best([found, *(_detect_turned(detector, small, least, by) for by in TURNS)])
    found = found[_possible(found, size)]
    found[:, :14] /= scale
    sides = (found[:, 2:4] - found[:, :2]).max(axis=1)
    largest = np.argsort(-sides, kind="stable")[:max_faces]
    found = found[largest[sides[largest] >= min_face]]
    return Faces(found[:, :4], found[:, 4:14].reshape(-1, 5, 2), found[:, 14])


def _possible(found: np.ndarray, size: list[int]) -> np.ndarray:
    """Which finds are about the picture: in tiny ones YuNet sees faces of a million pixels."""
    middle = (found[:, :2] + found[:, 2:4]) / 2
    sides = found[:, 2:4] - found[:, :2]
    inside = ((middle >= 0) & (middle <= size)).all(axis=1)
    return np.isfinite(found).all(axis=1) & inside & (sides <= 2 * max(size)).all(axis=1)


def _lit(picture: np.ndarray) -> np.ndarray:
    """A dark picture made brighter: MTCNN misses half of the faces at a tenth of the light."""
    brightest = np.percentile(picture[::4, ::4], 99)
    if brightest >= DARK:
        return picture
    return cv2.convertScaleAbs(picture, alpha=200 / max(brightest, 10))


def _detect_turned(
    detector: Detector, picture: np.ndarray, min_face: int, degrees: float
) -> np.ndarray:
    """What the detector finds when the picture is turned, brought back; (N, 15) float32."""
    height, width = picture.shape[:2]
    side = int(np.hypot(height, width))
    there = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    there[:, 2] += (side - width) / 2, (side - height) / 2
    found = detector.detect(cv2.warpAffine(picture, there, (side, side)), min_face)
    back = cv2.invertAffineTransform(there)
    half = np.tile((found[:, 2:4] - found[:, :2]) / 2, 2) * (-1, -1, 1, 1)
    middle = (found[:, :2] + found[:, 2:4]) / 2 @ back[:, :2].T + back[:, 2]
    points = found[:, 4:14].reshape(-1, 2) @ back[:, :2].T + back[:, 2]
    boxes = np.tile(middle, 2) + half
    return np.hstack([boxes, points.reshape(-1, 10), found[:, 14:]]).astype(np.float32)


def _best(finds: list[np.ndarray]) -> np.ndarray:
    """The best of the boxes of several searches that overlap."""
    found = np.concatenate(finds)
    places = np.arange(len(found))[:, None]
    kept = suppress(np.hstack([found[:, :4], found[:, 14:], places]), 0.3)[:, 5]
    return found[kept.astype(int)]
