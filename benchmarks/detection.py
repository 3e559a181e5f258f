"""Which detector finds the faces of photographs, upright, turned, small and dark.

    python -m benchmarks.detection PHOTOS DETECTORS [--turned]

PHOTOS is a folder of photographs, each `NAME.jpg` with a `NAME.csv` beside it that lists the
middle of every face to be found as `x,y` in pixels. DETECTORS is the folder `detectors` of a
stored package. Haar cascades, which come with OpenCV, run beside them. For each change of the
photographs: faces found, boxes without a face, and seconds relative to the first detector in
the same run.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from serving.detection import Detector, find, load

TURNS = (15, 30, 45, 90)


class Haar:
    """The frontal cascade with OpenCV's usual settings."""

    def __init__(self) -> None:
        file = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(file))

    def detect(self, picture: np.ndarray, min_face: int) -> np.ndarray:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        boxes = self._cascade.detectMultiScale(grey, 1.1, 5, minSize=(min_face, min_face))
        found = np.zeros((len(boxes), 15), np.float32)
        for row, (left, top, width, height) in zip(found, boxes, strict=True):
            row[:4] = left, top, left + width, top + height
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("detectors", type=Path)
    parser.add_argument("--turned", action="store_true", help="look for faces at any angle")
    arguments = parser.parse_args()
    detectors: dict[str, Detector] = load(arguments.detectors, 1)
    if not arguments.turned:
        detectors["haar"] = Haar()
    rows: dict[str, dict[str, list[float]]] = {}
    for path in sorted(arguments.photos.glob("*.jpg")):
        points = np.loadtxt(path.with_suffix(".csv"), delimiter=",", ndmin=2)
        for change, picture, moved in changes(cv2.imread(str(path)), points):
            for name, detector in detectors.items():
                start = time.perf_counter()
                boxes = find(detector, picture, 16, 100, arguments.turned).boxes
                spent = time.perf_counter() - start
                found = inside(boxes, moved).any(axis=0).sum()
                wrong = (~inside(boxes, moved).any(axis=1)).sum()
                sums = rows.setdefault(change, {}).setdefault(name, [0, 0, 0, 0])
                rows[change][name] = np.add(sums, [found, len(points), wrong, spent]).tolist()
    print(f"{'':12}" + "".join(f"{name:>24}" for name in detectors))
    for change, row in rows.items():
        base = next(iter(row.values()))[3]
        cells = (f"{f:.0f}/{n:.0f}, {w:.0f} wrong, {s / base:4.1f}×" for f, n, w, s in row.values())
        print(f"{change:12}" + "".join(f"{cell:>24}" for cell in cells))


def changes(
    picture: np.ndarray, points: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yields name, picture and points of each change."""
    yield "as it is", picture, points
    for level in (0.25, 0.1):
        yield f"{level:.0%} light", (picture * level).astype(np.uint8), points
    for scale in (0.5, 0.25):
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield f"{scale:.0%} size", small, points * scale
    height, width = picture.shape[:2]
    side = int(np.hypot(height, width))
    for degrees in TURNS:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        matrix[:, 2] += (side - width) / 2, (side - height) / 2
        turned = cv2.warpAffine(picture, matrix, (side, side))
        yield f"{degrees:+d} degrees", turned, points @ matrix[:, :2].T + matrix[:, 2]


def inside(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(boxes, points) bool: which point lies in which box."""
    after = (points[None] > boxes[:, None, :2]).all(axis=2)
    return after & (points[None] < boxes[:, None, 2:]).all(axis=2)


if __name__ == "__main__":
    main()
