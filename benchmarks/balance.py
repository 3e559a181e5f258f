"""How long SMOTE and ADASYN take, and how much memory, beside imbalanced-learn on the pixels.

    python -m benchmarks.balance FACES [--only N] [--no-library]

FACES is a face set, as `ingest` writes one; its training faces are balanced. Each run is a
process of its own; memory is its largest resident size, interpreter and libraries included, in
multiples of the training pixels as float32. Imports are not timed. In brackets, processor time
of all cores, the fairer measure on a busy machine.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from components.data.faces import FaceSet

NEIGHBOURS, SEED = 5, 0
CHUNK = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="a face set")
    parser.add_argument("--only", type=int, help="the first N training faces")
    parser.add_argument("--no-library", action="store_true", help="leave the comparison out")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    images, labels = training(arguments.faces, arguments.only)
    if arguments.run:
        print(json.dumps(measure(*arguments.run, images, labels)))
        return
    size = labels.size * images[0].size * 4
    print(f"{len(labels):,} faces × {images[0].size:,} pixels, {size / 2**20:.0f} MiB as float32")
    for method in ("smote", "adasyn"):
        runs = {}
        for who in ("mien",) if arguments.no_library else ("mien", "imblearn"):
            own = [sys.executable, "-m", "benchmarks.balance", *sys.argv[1:], "--run", who, method]
            runs[who] = json.loads(subprocess.check_output(own))
            run = runs[who]
            print(f"{method:7} {who:9} {run['seconds']:6.1f} s ({run['busy']:.1f} s)", end="")
            print(f", {run['peak'] / size:.2f} times the data, {run['made']:,} faces made")
        if len(runs) == 2:
            ratio = runs["imblearn"]["seconds"] / runs["mien"]["seconds"]
            busy = runs["imblearn"]["busy"] / runs["mien"]["busy"]
            print(f"{method:7} imblearn / mien = {ratio:.2f} ({busy:.2f} by processor time)")
        print(f"{method:7} pixels outside their class's range: {runs['mien']['outside']}")


def measure(who: str, method: str, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Makes faces one way; returns how long it took, at what memory, and how many."""
    work = {"mien": own_way, "imblearn": library_way}[who](method, images, labels)
    start, busy = time.perf_counter(), time.process_time()
    faces, classes = work()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    outside = 0
    for label in np.unique(classes):
        real, made = images[np.flatnonzero(labels == label)], faces[classes == label]
        outside += ((made < real.min(axis=0)) | (made > real.max(axis=0))).sum()
    return {
        "seconds": seconds,
        "busy": busy,
        "peak": peak,
        "made": len(faces),
        "outside": int(outside),
    }


def own_way(method: str, images: np.ndarray, labels: np.ndarray):
    from components.interpolation import mix, recipes

    def work() -> tuple[np.ndarray, np.ndarray]:
        table = recipes(method, labels, lambda places: images[places], NEIGHBOURS, SEED)
        faces = np.empty((len(table), *images.shape[1:]), np.uint8)
        for start in range(0, len(table), CHUNK):
            part = table.iloc[start : start + CHUNK]
            one, other = images[part["one"].to_numpy()], images[part["other"].to_numpy()]
            faces[start : start + CHUNK] = mix(one, other, part["share"].to_numpy())
        return faces, table["label"].to_numpy()

    return work


def library_way(method: str, images: np.ndarray, labels: np.ndarray):
    from imblearn.over_sampling import ADASYN, SMOTE

    def work() -> tuple[np.ndarray, np.ndarray]:
        pixels = images.reshape(len(images), -1).astype(np.float32)
        sampler = (
            SMOTE(k_neighbors=NEIGHBOURS, random_state=SEED)
            if method == "smote"
            else ADASYN(n_neighbors=NEIGHBOURS, random_state=SEED)
        )
        mixed, classes = sampler.fit_resample(pixels, labels)
        made = mixed[len(labels) :].reshape(-1, *images.shape[1:])
        return made, classes[len(labels) :]

    return work


def training(folder: Path, only: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The training faces, mapped from disk, and their labels; they come first in a face set."""
    faces = FaceSet.open(folder)
    rows = np.flatnonzero(faces.table["split"] == "train")[:only]
    return faces.images[rows[0] : rows[-1] + 1], faces.table["label"].to_numpy()[rows]


if __name__ == "__main__":
    main()
