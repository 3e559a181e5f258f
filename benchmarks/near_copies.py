"""How much faster the search for near copies is than comparing every pair, and what it misses.

    python -m benchmarks.near_copies FACES [--only N]

FACES is a face set, as `ingest` writes one. The brute force compares every pair of different
pictures on all pixels at each of nine shifts, by matrix products on all cores, which is the
fastest that it can be done; it takes minutes for 35,887 faces. Processor time is that of all
cores, and the fairer measure on a busy machine. Settings are those of params.yaml. Also
timed: the search among the hashes alone, beside a loop over imagehash's own objects (on a
sample, for all pairs would take an hour).
"""

import argparse
import time
from itertools import combinations
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from components import settings
from components.clean import grey_deviation
from components.cleaning.near_copies import near_pairs, perceptual_hashes, within
from components.data.copies import copy_groups
from components.data.faces import FaceSet

STEP = 2048
SAMPLE = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="a face set")
    parser.add_argument("--only", type=int, help="the first N faces")
    arguments = parser.parse_args()
    chosen = settings.load(Path("params.yaml")).clean
    images = FaceSet.open(arguments.faces).images[: arguments.only]
    count = len(images)
    images = images[np.unique(copy_groups(images), return_index=True)[1]]
    images = images[grey_deviation(images) >= chosen.blank_std]
    print(f"{count:,} faces, {len(images):,} of them different and not blank")

    start, busy = time.perf_counter(), time.process_time()
    pairs = near_pairs(images, np.arange(len(images)), chosen.hash_radius, chosen.similarity)
    search, search_busy = time.perf_counter() - start, time.process_time() - busy
    found = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    print(f"search: {search:.1f} s ({search_busy:.1f} s of processor time), {len(found):,} pairs")

    start, busy = time.perf_counter(), time.process_time()
    truth = brute_force(images, chosen.similarity)
    brute, brute_busy = time.perf_counter() - start, time.process_time() - busy
    print(f"brute force: {brute:.1f} s ({brute_busy:.1f} s), {len(truth):,} pairs")
    print(f"recall {len(found & truth) / len(truth):.4f}, precision ", end="")
    print(f"{len(found & truth) / len(found):.4f}")
    ratios = f"{brute / search:.0f} ({brute_busy / search_busy:.0f} by processor time)"
    print(f"brute force / search = {ratios}")

    hashes = perceptual_hashes(images)
    start = time.perf_counter()
    within(hashes, chosen.hash_radius)
    alone = time.perf_counter() - start
    print(f"among the hashes: {alone:.2f} s, exact; objects of imagehash / search = ", end="")
    print(f"{one_by_one(images) * len(images) * (len(images) - 1) / 2 / alone:.0f}")


def brute_force(images: np.ndarray, similarity: float) -> set[tuple[int, int]]:
    """All pairs that correlate at the best of nine shifts, by comparing all pairs at each."""
    pairs = set()
    middle = standardised(images[:, 1:-1, 1:-1])
    height, width = (side - 2 for side in images.shape[1:])
    for down in range(3):
        for right in range(3):
            moved = standardised(images[:, down : down + height, right : right + width])
            for start in range(0, len(images), STEP):
                alike = moved[start : start + STEP] @ middle[start:].T >= similarity
                one, other = np.nonzero(np.triu(alike, 1))
                pairs.update(zip((one + start).tolist(), (other + start).tolist(), strict=True))
    return pairs


def standardised(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True).clip(1e-6)


def one_by_one(images: np.ndarray) -> float:
    """Seconds that imagehash takes to compare a pair."""
    hashes = [imagehash.phash(Image.fromarray(image)) for image in images[:SAMPLE]]
    start = time.perf_counter()
    for one, other in combinations(hashes, 2):
        _ = one - other
    return (time.perf_counter() - start) / (SAMPLE * (SAMPLE - 1) / 2)


if __name__ == "__main__":
    main()
