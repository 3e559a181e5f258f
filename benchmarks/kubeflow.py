"""What Kubeflow's local runner adds to the steps, and whether it changes their metrics.

    python -m benchmarks.kubeflow [--faces N] [--epochs N] [--keep FOLDER]

In a copy of the working tree, with a small data set and two small members: first the commands of
`dvc.yaml` one after another, then `python -m pipelines.kubeflow run`. Beside other work,
processor time means more than time.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
MEMBERS = ["mini_xception", "searched"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=700)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="folder to leave the copy in")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        copy = (chosen.keep or Path(temporary)).resolve() / "mien"
        prepare(copy, chosen.faces, chosen.epochs)
        direct = timed(copy, *commands(copy))
        expected = metrics(copy / "metrics")
        for made in ("artifacts", "metrics", "plots", ".checkpoints"):
            shutil.rmtree(copy / made, ignore_errors=True)
        local = timed(copy, "python -m pipelines.kubeflow run")
        (run,) = (copy / ".kubeflow").glob("mien-*")
        report(direct, local, expected, metrics(run))


def prepare(copy: Path, faces: int, epochs: int) -> None:
    """Makes a repository of the working tree, with a data set of its own."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in files.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("metrics/"):  # others' members
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    params = yaml.safe_load((copy / "params.yaml").read_text(encoding="utf-8"))
    params["synthesize"]["faces"] = faces
    params["search"] |= {"trials": 2, "epochs": 1, "max_mmacs": 300.0, "input_size": 16}
    params["design"]["searched"]["input_size"] = 16
    params["train"]["common"]["epochs"] = epochs
    params["train"]["members"] = {member: {} for member in MEMBERS}
    params["ensemble"]["members"] = MEMBERS
    (copy / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    git = "git -c user.name=mien -c user.email=benchmark@localhost"
    timed(copy, "git init --quiet", "python -m components synthesize", "python -m dvc add -q data")
    timed(copy, "git add --all", f"{git} commit --quiet --message copy")


def commands(copy: Path) -> Iterator[str]:
    """Yields what `dvc repro` runs, but for the Bento, which Kubeflow does not build."""
    for name, stage in yaml.safe_load((copy / "dvc.yaml").read_text())["stages"].items():
        first = stage["cmd"] if isinstance(stage["cmd"], str) else stage["cmd"][0]
        for member in MEMBERS if name == "train" else [""]:
            yield first.replace("${item.member}", member)


def timed(copy: Path, *lines: str) -> tuple[float, float]:
    """Runs commands; returns the seconds, and the seconds of processor time, that they took."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(copy),
        "MLFLOW_TRACKING_URI": f"sqlite:///{copy / 'mlflow.db'}",
    }
    start, before = time.perf_counter(), used()
    for line in lines:
        subprocess.run(line.split(), cwd=copy, env=environment, check=True)
    return time.perf_counter() - start, used() - before


def used() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def metrics(folder: Path) -> dict[str, dict[str, float]]:
    """Returns the metrics below a folder by the names of their files."""
    files = [file for file in folder.rglob("*.json") if "metrics" in file.parts]
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def report(direct, local, expected, got) -> None:
    """Prints the figures; ends with 1 if a metric differs."""
    for name, (seconds, processor) in {"steps": direct, "kubeflow run": local}.items():
        print(f"{name}: {seconds:.0f} s, {processor:.0f} s of processor time")
    print(f"kubeflow / steps: {local[0] / direct[0]:.2f}, by processor {local[1] / direct[1]:.2f}")
    equal = sum(
        expected[name][key] == got[name].get(key) for name in expected for key in expected[name]
    )
    print(f"metrics that are equal, bit for bit: {equal} of {sum(map(len, expected.values()))}")
    different = {name for name in expected if expected[name] != got.get(name)}
    if different or set(expected) != set(got):
        sys.exit(f"these differ: {', '.join(sorted(different | (set(expected) ^ set(got))))}")


if __name__ == "__main__":
    main()
