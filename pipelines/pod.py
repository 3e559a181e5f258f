"""What a Kubeflow task does: it runs a step in a folder that looks like the repository.

That folder is the task's output. What earlier tasks made is linked into it, the step runs there
by its command in `dvc.yaml`, and the links are taken away again: so the output holds what the step
wrote, below the paths of `dvc.yaml`, and nothing is copied.
"""

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from components import settings
from components.data.labels import LABEL_SETS
from components.errors import InputError
from components.outputs import write_text

if TYPE_CHECKING:
    from kfp.dsl import HTML, Artifact, ClassificationMetrics, Metrics

ROOT = Path(__file__).parents[1]
OUTPUTS = ["artifacts", "metrics", "plots"]
# Not linked: what steps make, and the code, which PYTHONPATH finds. A setting may name the rest.
HIDDEN = [*OUTPUTS, "data", "params.yaml", "components", "pipelines", "serving"]


def data_md5() -> str:
    """Returns the md5 of the data that `data.dvc` names."""
    return yaml.safe_load((ROOT / "data.dvc").read_text(encoding="utf-8"))["outs"][0]["md5"]


def begin(params: str) -> list[str]:
    """Checks the settings and opens the MLflow run that those of the steps go below.

    Tasks that start at the same moment would open one each.

    Args:
        params: The text of `params.yaml`.

    Returns:
        The names of the members to train.
    """
    from components.tracking import step_run

    with _told(), tempfile.TemporaryDirectory() as folder, contextlib.chdir(ROOT):
        file = Path(folder, "params.yaml")
        write_text(file, params)
        given = settings.load(file)
        with step_run("kubeflow", given.model_dump()):
            return given.ensemble.members


def fetch(md5: str, out: "Artifact") -> None:
    """Brings the data set that `data.dvc` names, from DVC's remote or drawn, to `OUT/data`.

    Args:
        md5: The data that the pipeline was compiled for.
        out: Where to put them.
    """
    with _told():
        if (named := data_md5()) != md5:
            raise InputError(
                f"data.dvc in the image names the data {named}, but the pipeline was compiled for "
                f"{md5}; build the image again, or compile the pipeline again."
            )
    _run([sys.executable, "-m", "pipelines.data"], ROOT)
    shutil.copytree(ROOT / "data", Path(out.path, "data"))


def run(
    command: str, params: str, inputs: "list[Artifact]", out: "Artifact", metrics: "Metrics"
) -> None:
    """Runs a step.

    Args:
        command: What follows `python -m` in `dvc.yaml`.
        params: The text of `params.yaml`.
        inputs: What earlier tasks made.
        out: Folder that gets what the step writes.
        metrics: Gets the step's metrics.
    """
    folder = Path(out.path)
    with _repository(folder, params, [Path(artifact.path) for artifact in inputs]):
        _run([sys.executable, "-m", *command.split()], folder)
    (file,) = (folder / "metrics").rglob("*.json")
    for name, value in json.loads(file.read_text(encoding="utf-8")).items():
        if math.isfinite(value):  # Kubeflow's own JSON has no other numbers
            metrics.log_metric(name, value)


def show_confusion(out: "Artifact", params: str, shown: "ClassificationMetrics") -> None:
    """Gives Kubeflow the ensemble's confusion matrix on the test split.

    Args:
        out: What the step `ensemble` wrote.
        params: The text of `params.yaml`, for the label set.
        shown: Gets the counts; rows are labels, columns predictions.
    """
    import pandas as pd

    table = pd.read_csv(Path(out.path, "plots", "ensemble", "confusion.csv"))
    classes = list(LABEL_SETS[yaml.safe_load(params)["clean"]["label_set"]])
    counts = pd.crosstab(table["label"], table["predicted"])
    counts = counts.reindex(index=classes, columns=classes, fill_value=0)
    shown.log_confusion_matrix(classes, counts.to_numpy().tolist())


def show_page(out: "Artifact", file: str, shown: "HTML") -> None:
    """Gives Kubeflow a page that a step wrote."""
    shutil.copy(Path(out.path, file), shown.path)


@contextlib.contextmanager
def _repository(folder: Path, params: str, inputs: list[Path]) -> Iterator[None]:
    """Makes `folder` look like the repository, and afterwards hold only what was written there."""
    folder.mkdir(parents=True, exist_ok=True)
    for tree in inputs:
        for file in tree.rglob("*"):
            if file.is_file():
                link = folder / file.relative_to(tree)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file)
    for entry in ROOT.iterdir():
        if entry.name not in HIDDEN and not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry)
    write_text(folder / "params.yaml", params)
    yield
    for entry in folder.iterdir():
        if entry.is_symlink() or entry.is_file():
            entry.unlink()
        elif entry.name not in OUTPUTS:
            shutil.rmtree(entry)
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_symlink():
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _run(command: list[str], folder: Path) -> None:
    """Runs a command with the repository's code, MLflow store and commit; ends if it fails."""
    places = {"PYTHONPATH": ROOT, "DVC_ROOT": ROOT, "GIT_DIR": ROOT / ".git", "GIT_WORK_TREE": ROOT}
    environment = os.environ | {name: str(place) for name, place in places.items()}
    done = subprocess.run(command, cwd=folder, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        sys.exit(f"mien kubeflow: {error}")
