"""Whether `ingest` needs more memory for more pictures.

    python -m benchmarks.ingest_memory [--pictures 200000] [--layout table]

Writes colour pictures of 112 px as JPEG to a temporary folder (about 1 GB, and 8 GB of faces),
reads them in a process of its own without given splits, and prints its resident memory at
20,000 faces, the most after that, and the ratio of the two. Ten thousand persons share the
pictures of a table.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import psutil
from tqdm import tqdm

from components.data.labels import LABEL_SETS
from components.settings import load

ROOT = Path(__file__).parent.parent
CLASSES = LABEL_SETS["fer2013"]
SIDE = 112
FIRST = 20_000
PERSONS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--layout", choices=("folders", "table"), default="folders")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(arguments.measure)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_pictures(data, arguments.pictures, arguments.layout)
        command = [sys.executable, "-m", "benchmarks.ingest_memory", "--measure", str(data)]
        subprocess.run(command, check=True)


def measure(data: Path) -> None:
    """Ingests `data` and prints what it took."""
    from components.ingest import ingest

    settings = load(ROOT / "params.yaml").ingest
    settings = settings.model_copy(update={"image_size": SIDE, "colour": "rgb"})
    samples: list[tuple[int, int]] = []
    done = threading.Event()
    watcher = threading.Thread(target=watch, args=(data.parent, samples, done))
    watcher.start()
    start = time.perf_counter()
    try:
        metrics = ingest(data, data.parent / "out", settings)
    finally:
        done.set()
        watcher.join()
    seconds = time.perf_counter() - start
    at_first = next(resident for faces, resident in samples if faces >= FIRST)
    later = max(resident for faces, resident in samples if faces >= FIRST)
    print(f"{metrics['faces']} faces in {seconds:.0f} s")
    print(f"resident at {FIRST} faces {at_first / 2**20:.0f} MiB, at most {later / 2**20:.0f} MiB")
    print(f"at the end {samples[-1][1] / 2**20:.0f} MiB; most / first = {later / at_first:.3f}")


def watch(folder: Path, samples: list[tuple[int, int]], done: threading.Event) -> None:
    """Collects how many faces are written, and the bytes resident then."""
    process = psutil.Process()
    faces = 0
    while not done.wait(0.2):
        for path in folder.glob(".out-*/faces.npy"):
            faces = path.stat().st_size // (SIDE * SIDE * 3)
        samples.append((faces, process.memory_info().rss))


def write_pictures(folder: Path, count: int, layout: str) -> None:
    top = folder / "pictures" if layout == "table" else folder
    for name in CLASSES:
        (top / name).mkdir(parents=True)
    listed = [("path", "label", "group")]
    for number, jpeg in enumerate(tqdm(pictures(count), total=count, desc="pictures")):
        label = CLASSES[number % len(CLASSES)]
        path = top / label / f"{number:07d}.jpg"
        path.write_bytes(jpeg)
        listed.append((str(path.relative_to(folder)), label, number % PERSONS))
    if layout == "table":
        with (folder / "faces.csv").open("w", newline="") as file:
            csv.writer(file).writerows(listed)


def pictures(count: int) -> Iterator[bytes]:
    """JPEGs of soft noise; a thousand that come again and again."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (min(count, 1000), 8, 8, 3), np.uint8)
    soft = [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for one in coarse]
    files = [cv2.imencode(".jpg", one)[1].tobytes() for one in soft]
    return islice(cycle(files), count)


if __name__ == "__main__":
    main()
