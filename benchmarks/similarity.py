"""How alike near copies must be: what `clean.similarity` finds, and whom it mistakes for a copy.

    python -m benchmarks.similarity FACES [--sample N]

FACES is a face set, as `ingest` writes one. Copies of N of its pictures, changed in ways that
happen to photographs on the web, are planted among all of them, and the search is run as `clean`
runs it. For each threshold: the share of planted copies found, by kind, and how many pairs
nobody planted: in the embedded set, whose near copies are all known, those are look-alikes
(precision counts its own planted ones as right); in a real one they are its own near copies, too.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from components import settings
from components.clean import grey_deviation
from components.cleaning import truth
from components.cleaning.near_copies import near_pairs
from components.data.copies import copy_groups
from components.data.faces import FaceSet

THRESHOLDS = (0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)


def crop(image: np.ndarray, share: float) -> np.ndarray:
    """Cuts a share of the side off at the top and left, and stretches the rest."""
    cut = round(share * len(image))
    return cv2.resize(image[cut:, cut:], image.shape[::-1], interpolation=cv2.INTER_LINEAR)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Saves with loss and reads again."""
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


def lit(image: np.ndarray) -> np.ndarray:
    """Brighter and flatter."""
    return (image * 0.8 + 40).astype(np.uint8)


def gamma(image: np.ndarray) -> np.ndarray:
    """Darker, dark tones more than light ones."""
    return (255 * (image / 255) ** 1.4).astype(np.uint8)


KINDS = {
    "light": lit,
    "gamma": gamma,
    "moved": lambda image: np.roll(image, 1, axis=1),
    "jpeg 50": lambda image: jpeg(image, 50),
    "half size": lambda image: cv2.resize(
        cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), image.shape[::-1]
    ),
    "crop 2%": lambda image: crop(image, 0.02),
    "crop 4%": lambda image: crop(image, 0.04),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="a face set")
    parser.add_argument("--sample", type=int, default=1000, help="pictures to change")
    arguments = parser.parse_args()
    radius = settings.load(Path("params.yaml")).clean.hash_radius
    faces = FaceSet.open(arguments.faces)
    first = np.unique(copy_groups(faces.images), return_index=True)[1]
    first = first[grey_deviation(faces.images)[first] >= 5]
    images, known = faces.images[first], known_pairs(arguments.faces, faces.table["id"], first)
    chosen = np.random.default_rng(0).choice(len(images), min(arguments.sample, len(images)), False)
    print(f"{len(images):,} different pictures, {len(chosen):,} of them changed; radius {radius}")

    changed = [change(images[place]) for change in KINDS.values() for place in chosen]
    planted = np.concatenate([images, changed])
    pairs = near_pairs(planted, np.arange(len(planted)), radius, THRESHOLDS[0])
    # Copies come after all pictures, kind by kind; count each with its own original.
    kind, number = np.divmod(pairs.second - len(images), len(chosen))
    own = (kind >= 0) & (chosen[number] == pairs.first)
    found = {name: pairs.similarity[own & (kind == k)] for k, name in enumerate(KINDS)}
    there = pd.Series(pairs.similarity, zip(pairs.first, pairs.second, strict=True))[kind < 0]
    rows = {}
    for threshold in THRESHOLDS:
        rows[threshold] = {k: (v >= threshold).sum() / len(chosen) for k, v in found.items()}
        alike = set(there.index[there >= threshold])
        rows[threshold]["others"] = len(alike - known)
        if known:
            rows[threshold]["precision"] = len(alike & known) / len(alike)
            rows[threshold]["recall"] = len(alike & known) / len(known)
    print(pd.DataFrame(rows).T.to_string(float_format="{:.3f}".format))


def known_pairs(folder: Path, ids: pd.Series, first: np.ndarray) -> set[tuple[int, int]]:
    """The near copies that `truth.csv` names, by place in `first`."""
    if not (folder / truth.FILE).is_file():
        return set()
    table = pd.read_csv(folder / truth.FILE, dtype=str, keep_default_na=False)
    place = {ids.iat[row]: number for number, row in enumerate(first)}
    near = table[table["kind"] == "near_copy"]
    pairs = zip(near["id"], near["partner"], strict=True)
    return {tuple(sorted((place[one], place[other]))) for one, other in pairs}


if __name__ == "__main__":
    main()
