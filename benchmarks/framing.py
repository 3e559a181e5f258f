"""Where the training faces' frame lies in a detector's box, and what other crops cost.

    python -m benchmarks.framing FACES DETECTORS [--package PACKAGE] [--only N]

FACES is a face set as `ingest` writes one, DETECTORS the folder `detectors` of a stored
package. Test faces are enlarged three times and surrounded by their own edges, so that a
detector sees faces whose frame is known. Prints the medians that `serving.crops` keeps as
`FRAMINGS` and `TEMPLATE`. With a package whose ensemble was trained on those faces: its
accuracy on the training crops, on the detector's crops at several margins, and on aligned
ones; always on the faces that the detector finds.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from components.data.faces import FaceSet
from components.preprocess import to_face
from serving.crops import FRAMINGS, LANDMARKS, aligned, cut, framed
from serving.detection import Faces, find, load
from serving.engine import Engine, read_manifest

SIDE, ROOM = 144, 72  # pixels a face is enlarged to, and has around it
MARGINS = (0.8, 0.9, 1.0, 1.1, 1.25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="a face set")
    parser.add_argument("detectors", type=Path, help="their folder")
    parser.add_argument("--package", type=Path, help="an ensemble trained on that set")
    parser.add_argument("--only", type=int, help="N of the test faces, chosen by lot")
    arguments = parser.parse_args()
    face_set = FaceSet.open(arguments.faces)
    table = face_set.table
    rows = np.flatnonzero((table["split"] == "test") & (table["label"] >= 0))
    if arguments.only:
        rows = np.sort(np.random.default_rng(0).choice(rows, arguments.only, replace=False))
    images, labels = face_set.images[rows], table["label"].to_numpy()[rows]
    pictures = [surrounded(image) for image in images]
    for name, detector in load(arguments.detectors, 1).items():
        finds = [find(detector, picture, 40, 1) for picture in pictures]
        hit = np.array([len(found.boxes) > 0 for found in finds])
        print(f"{name}: {hit.sum()} of {len(hit)} faces found")
        kept = [(p, f) for p, f, h in zip(pictures, finds, hit, strict=True) if h]
        describe([found for _, found in kept])
        if arguments.package:
            compare(arguments.package, images[hit], labels[hit], kept, name)


def surrounded(face: np.ndarray) -> np.ndarray:
    """(288, 288, 3) uint8: a face enlarged, in the middle of its repeated edges."""
    large = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    large = cv2.copyMakeBorder(large, *[ROOM] * 4, cv2.BORDER_REPLICATE)
    return cv2.cvtColor(large, cv2.COLOR_GRAY2BGR if large.ndim == 2 else cv2.COLOR_RGB2BGR)


def describe(finds: list[Faces]) -> None:
    """Prints where the frame lies in the boxes, and the landmarks in the frame."""
    boxes = np.array([found.boxes[0] for found in finds])
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    off = (ROOM + SIDE / 2 - middle) / longer[:, None]
    low, side, high = np.percentile(SIDE / longer, [25, 50, 75])
    print(f"  side {side:.3f} (quartiles {low:.3f} to {high:.3f}) of the longer side of the box,")
    print(f"  centre {np.median(off[:, 1]):+.3f} lower, {np.median(off[:, 0]):+.3f} to the right")
    points = np.median([(found.landmarks[0] - ROOM) / SIDE for found in finds], axis=0)
    named = zip(LANDMARKS, points, strict=True)
    print("  " + ", ".join(f"{name} {x:.3f} {y:.3f}" for name, (x, y) in named))


def compare(
    package: Path,
    images: np.ndarray,
    labels: np.ndarray,
    kept: list[tuple[np.ndarray, Faces]],
    name: str,
) -> None:
    """Prints the accuracy on each way to cut the same faces."""
    engine = Engine(package, threads=1)
    shape = tuple(read_manifest(package)["input"]["shape"])

    def accuracy(crops: list[np.ndarray]) -> float:
        faces = np.stack([to_face(crop, shape) for crop in crops])
        return float((engine.probabilities(faces).argmax(axis=1) == labels).mean())

    print(f"  accuracy on the training crops {accuracy(list(images)):.3f}")
    side, lower = FRAMINGS[name]
    for margin in MARGINS:
        crops = [cut(p, framed(f.boxes[0], (side * margin, lower))) for p, f in kept]
        print(f"  on the detector's crops, {margin:4.2f} times as large: {accuracy(crops):.3f}")
    print(f"  aligned by landmarks: {accuracy([aligned(p, f.landmarks[0]) for p, f in kept]):.3f}")
    boxes = [cut(p, f.boxes[0]) for p, f in kept]
    print(f"  the box as it is, stretched to a square: {accuracy(boxes):.3f}")


if __name__ == "__main__":
    main()
