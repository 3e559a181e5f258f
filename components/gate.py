"""The verbs `promote` and `rollback`: between the registry, the step and the person.

`__main__` calls them with the settings that it has read. They open a run, as a step does, but
are no steps of `dvc.yaml`: what they do depends on the registry, which DVC does not know.
"""

import json
import shutil
import tempfile
from pathlib import Path

from components.outages import needed
from components.outputs import replacing
from components.promote import promote as judge
from components.registry import CHAMPION, Registry
from components.settings import Params
from components.tracking import MlflowClient, root, step_run
from components.turns import turn

OUT = Path("artifacts/promote")
RELEASED = Path("serving/released")  # a package a label set, as `pipelines/release.py` wrote it
SERVED_FROM = Path("artifacts/champion")  # a service that runs follows what lies there
LOCK, WHAT = ".promote.lock", "promotion or rollback"
REFUSED = 3  # exit status of a promotion that the gate refused


def promote(params: Params) -> int:
    """Judges the challenger against the champion and acts on it; returns the exit status.

    Raises:
        InputError: If there is nothing to judge, something of it is gone, somebody else is
            judging, or MLflow does not answer.
    """
    with (
        needed(),
        turn(root() / LOCK, WHAT),
        step_run("promote", params.model_dump()) as run,
        tempfile.TemporaryDirectory() as temporary,
    ):
        registry = Registry(params.package.name, MlflowClient())
        challenger, champion = registry.challenger(), registry.version(CHAMPION)
        own = registry.fetch(challenger, Path(temporary, "challenger"))
        if champion is not None and challenger.version == champion.version:
            serve(own)
            print(f"{registry.name} version {champion.version} is champion already.")
            return 0
        if champion is None:
            other = released(own)
        else:
            other = registry.fetch(champion, Path(temporary, "champion"))
        results = judge(own, other, OUT, params.promote)
        decision = json.loads((OUT / "decision.json").read_text(encoding="utf-8"))
        registry.settle(challenger, champion, decision)
        if decision["promoted"]:
            serve(own)
        run.metrics(results)
        run.artifacts(*OUT.iterdir())
    print((OUT / "DECISION.md").read_text(encoding="utf-8"))
    return 0 if decision["promoted"] else REFUSED


def released(challenger: Path) -> Path | None:
    """Returns the release that a first champion takes the place of, if there is one."""
    manifest = json.loads((challenger / "manifest.json").read_text(encoding="utf-8"))
    folder = RELEASED / manifest["label_set"]
    return folder if folder.is_dir() else None


def roll_back(params: Params) -> int:
    """Makes the previous champion champion again; returns the exit status.

    Raises:
        InputError: If there is none, it is not whole, somebody else moves aliases, or MLflow
            does not answer.
    """
    with (
        needed(),
        turn(root() / LOCK, WHAT),
        step_run("rollback", params.model_dump()),
        tempfile.TemporaryDirectory() as temporary,
    ):
        registry = Registry(params.package.name, MlflowClient())
        previous = registry.previous()
        own = registry.fetch(previous, Path(temporary, "previous"))
        going = registry.roll_back()
        serve(own)
    print(
        f"{registry.name} version {previous.version} is champion again, in place of "
        f"{going.version}."
    )
    return 0


def serve(package: Path) -> None:
    """Puts a champion where the service looks for it."""
    with replacing(SERVED_FROM) as folder:
        shutil.copytree(package, folder, dirs_exist_ok=True)
