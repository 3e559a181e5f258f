"""How long it takes to combine, score and report seven members on FER-2013's size.

    python -m benchmarks.evaluate [--keep FOLDER]

Synthetic logits of seven members of different skill for 3,589 validation and 3,589 test faces,
noise for faces, and untrained networks, of which Grad-CAM looks into one: ResNet-50, whose last
layer has the most maps. `ensemble` and `evaluate` run in a process of their own, so that the
time holds what importing TensorFlow takes; beside other work, processor time means more.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from components import settings
from components.data.faces import IMAGES, TABLE, write_images
from components.data.labels import LABEL_SETS, TTA

CLASSES = LABEL_SETS["fer2013"]
FACES = 3589  # of each split
SHARES = np.array([0.13, 0.016, 0.14, 0.25, 0.17, 0.12, 0.174])  # of PrivateTest, about
MEMBERS = [f"member{number}" for number in range(1, 8)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder to leave the inputs and the report in")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        run(chosen.run)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        make(folder)
        command = [sys.executable, "-m", "benchmarks.evaluate", "--run", str(folder)]
        start = time.perf_counter()
        before = used()
        subprocess.run(command, check=True)
        wall = time.perf_counter() - start
        print(f"all of it: {wall:.1f} s, {used() - before:.1f} s of processor time")


def used() -> float:
    """Returns the processor seconds that processes which ended have used."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def make(folder: Path) -> None:
    """Writes a face set and what `train` would have left of each member."""
    from components import models
    from components.archive import save_model

    draw = np.random.default_rng(0)
    count = 2 * FACES
    labels = draw.choice(len(CLASSES), count, p=SHARES / SHARES.sum()).astype(np.int8)
    splits = ["val"] * FACES + ["test"] * FACES
    faces = folder / "faces"
    faces.mkdir(parents=True)
    write_images(faces / IMAGES, [draw.integers(0, 256, (count, 48, 48), np.uint8)])
    ids = [f"fer{row:07d}" for row in range(count)]
    table = pd.DataFrame({"id": ids, "split": splits, "label": labels})
    table.assign(age=draw.integers(1, 90, count), gender=draw.choice(["f", "m"], count)).to_parquet(
        faces / TABLE, index=False
    )
    same = {"row": np.arange(count), "split": splits, "label": labels}
    same |= {"leaked": draw.random(count) < 0.08, "learnt": False}
    network = folder / "model.keras"
    save_model(models.build("resnet50", (48, 48, 1), len(CLASSES), 48), network)
    hard = draw.normal(size=(count, len(CLASSES)))  # what is hard is so for every member
    for number, name in enumerate(MEMBERS):
        (folder / name).mkdir()
        shutil.copy(network, folder / name)
        skill = 2.2 + 0.1 * number
        noise = [hard + draw.normal(size=hard.shape) for _ in TTA]
        logits = [(skill * np.eye(len(CLASSES))[labels] + own).astype(np.float32) for own in noise]
        answers = pd.DataFrame(same)
        for prefix, own in zip(TTA.values(), logits, strict=True):
            answers = answers.join(pd.DataFrame(own, columns=list(CLASSES)).add_prefix(prefix))
        answers.to_parquet(folder / name / "predictions.parquet", index=False)


def run(folder: Path) -> None:
    """Runs both steps on what `make` wrote."""
    start = time.perf_counter()
    from components.ensemble import ensemble
    from components.evaluate import evaluate

    print(f"imports: {time.perf_counter() - start:.1f} s")
    chosen = settings.load(Path(__file__).parents[1] / "params.yaml")
    members = {name: folder / name for name in MEMBERS}
    start = time.perf_counter()
    combined, drawn = folder / "ensemble", folder / "drawn"
    scores = ensemble(members, combined, drawn, chosen.ensemble, classes=CLASSES)
    print(f"ensemble: {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    out, figures = folder / "evaluate", folder / "figures"
    found = evaluate(
        *(members, combined, drawn, folder / "faces", scores, out, figures, chosen.evaluate),
        classes=CLASSES,
    )
    print(f"evaluate: {time.perf_counter() - start:.1f} s, {len(found)} metrics")
    report = out / "report.html"
    print(f"{report.name}: {report.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
