"""How long the whole pipeline takes on the embedded data set, and how much memory.

    python -m benchmarks.pipeline [--no-op]

Without `--no-op` it forces every stage to run again (`dvc repro --force`), which takes
minutes. Then, and with it, it compares a `dvc repro` that has nothing to do with a
`dvc status`, in turns. Memory is the largest sum of resident sizes over the process tree. On a
virtual machine the host may take processor time away; the share is printed beside the time.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil

from components.metrics import read

ROUNDS = 5
ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-op", action="store_true", help="leave the forced run out")
    if not parser.parse_args().no_op:
        before = psutil.cpu_times()
        seconds, gibibytes = watched("repro", "--force")
        print(f"dvc repro --force: {seconds / 60:.1f} min, at most {gibibytes:.1f} GiB resident")
        print(f"stolen by the host: {stolen(before):.0%} of the processors' time")
        report()
    times: dict[str, list[float]] = {"repro": [], "status": []}
    for _ in range(ROUNDS):
        for verb, seconds in times.items():
            seconds.append(watched(verb, "--quiet")[0])
    medians = {verb: statistics.median(seconds) for verb, seconds in times.items()}
    print(f"no-op dvc repro {medians['repro']:.1f} s, dvc status {medians['status']:.1f} s")
    print(f"no-op repro / status = {medians['repro'] / medians['status']:.2f}")


def report() -> None:
    """Prints the test accuracies that the figures to reach are about."""
    metrics = read(ROOT / "metrics" / "ensemble.json")
    for name, value in metrics.items():
        if name == "test.accuracy" or name.startswith("test.accuracy_of."):
            print(f"{name} {value:.3f}")


def watched(*arguments: str) -> tuple[float, float]:
    """Runs `dvc` with arguments; returns the seconds and GiB that it took."""
    start, peak = time.perf_counter(), 0
    running = psutil.Popen([sys.executable, "-m", "dvc", *arguments], cwd=ROOT)
    while True:
        try:
            running.wait(timeout=0.2)
            break
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
            peak = max(peak, resident(running))
    if running.returncode:
        sys.exit(f"dvc {' '.join(arguments)} failed")
    return time.perf_counter() - start, peak / 2**30


def stolen(before: tuple) -> float:
    """Returns the share of processor time since `before` that the host took away (Linux)."""
    now = psutil.cpu_times()
    if not hasattr(now, "steal"):
        return 0.0
    spent = [after - earlier for after, earlier in zip(now, before, strict=True)]
    last = now._fields.index("steal")  # the fields beyond it are counted in others already
    return spent[last] / sum(spent[: last + 1])


def resident(process: psutil.Process) -> int:
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


if __name__ == "__main__":
    main()
