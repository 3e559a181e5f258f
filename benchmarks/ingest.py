"""How long `ingest` takes beside `pandas.read_csv` alone, and how much memory.

    python -m benchmarks.ingest [CSV]

Without a CSV it writes one of FER-2013's size with random pixels. Each run is a process
of its own, the two take turns, and the ratio is that of the medians, so that a noisy
machine slows both alike. Imports are not timed.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROUNDS = 5
PIXELS = 48 * 48
ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", nargs="?", type=Path, help="a fer2013.csv, plain or compressed")
    parser.add_argument("--only", choices=("pandas", "ingest"), help="time one, once, as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only:
            prepare = {"pandas": pandas_alone, "ingest": whole_step}[arguments.only]
            print(json.dumps(measure(prepare(arguments.csv, Path(folder)))))
        else:
            compare(arguments.csv or random_faces(Path(folder) / "fer2013.csv"))


def compare(path: Path) -> None:
    """Prints both times, their ratio and the peak memory of each."""
    runs: dict[str, list[dict[str, float]]] = {"pandas": [], "ingest": []}
    for _ in range(ROUNDS):
        for only, done in runs.items():
            command = [sys.executable, "-m", "benchmarks.ingest", "--only", only, str(path)]
            done.append(json.loads(subprocess.check_output(command)))
    medians = {}
    print(f"{path.stat().st_size / 1e6:.0f} MB, median of {ROUNDS} runs each")
    for only, done in runs.items():
        medians[only] = statistics.median(run["seconds"] for run in done)
        before, peak = (max(run[key] for run in done) for key in ("before_mib", "peak_mib"))
        print(f"{only:7} {medians[only]:6.2f} s, resident {before:.0f} MiB, at peak {peak:.0f} MiB")
    print(f"ingest / pandas = {medians['ingest'] / medians['pandas']:.2f}")


def measure(work: Callable[[], object]) -> dict[str, float]:
    """Times `work`, and reads this process's peak memory before and after."""
    before, start = _peak(), time.perf_counter()
    work()
    return {
        "seconds": time.perf_counter() - start,
        "before_mib": before,
        "peak_mib": _peak(),
    }


def pandas_alone(path: Path, folder: Path) -> Callable[[], object]:
    import pandas as pd

    return lambda: pd.read_csv(path)


def whole_step(path: Path, folder: Path) -> Callable[[], object]:
    from components.ingest import ingest
    from components.settings import load

    settings = load(ROOT / "params.yaml").ingest
    return lambda: ingest(path, folder / "faces", settings)


def random_faces(path: Path) -> Path:
    """Writes a CSV in FER-2013's layout and size, with random pixels."""
    words = np.array([str(level) for level in range(256)], object)
    rng = np.random.default_rng(0)
    usages = ["Training"] * 28_709 + ["PublicTest"] * 3_589 + ["PrivateTest"] * 3_589
    with path.open("w") as file:
        file.write("emotion,pixels,Usage\n")
        for row, usage in enumerate(usages):
            levels = words[rng.integers(0, 256, PIXELS)]
            file.write(f"{row % 7},{' '.join(levels)},{usage}\n")
    return path


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
