"""How long `ingest` and `clean` take together, with the settings of params.yaml.

    python -m benchmarks.clean DATA

DATA is what `ingest.source` may name. Imports are not timed.
"""

import argparse
import tempfile
import time
from pathlib import Path

from components import settings
from components.clean import clean
from components.ingest import ingest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a file, or a folder with one known layout in it")
    data = parser.parse_args().data
    params = settings.load(Path("params.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        faces, kept = Path(folder) / "faces", Path(folder) / "kept"
        seconds, processor = {}, {}
        for name, work in {
            "ingest": lambda: ingest(data, faces, params.ingest),
            "clean": lambda: clean(faces, kept, params.clean),
        }.items():
            start, busy = time.perf_counter(), time.process_time()
            metrics = work()
            seconds[name] = time.perf_counter() - start
            processor[name] = time.process_time() - busy
            print(f"{name} {seconds[name]:.1f} s ({processor[name]:.1f} s of processor time)")
    for name, value in metrics.items():
        if name.startswith("truth."):
            print(f"{name} {value:.3f}")
    print(f"together {sum(seconds.values()):.1f} s ({sum(processor.values()):.1f} s)")


if __name__ == "__main__":
    main()
