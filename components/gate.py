"""The verbs `promote` and `rollback`: between the registry, the step and the person.

`__main__` calls them with the settings that it has read. They open a run, as a step does, but
are no steps of `dvc.yaml`: what they do depends on the registry, which DVC does not know.
"""

import json
import tempfile
from pathlib import Path

from components.promote import promote as judge
from components.registry import CHAMPION, Registry
from components.settings import Params
from components.tracking import MlflowClient, root, step_run
from components.turns import turn

OUT = Path("artifacts/promote")
LOCK, WHAT = ".promote.lock", "promotion or rollback"
REFUSED = 3  # exit status of a promotion that the gate refused


def promote(params: Params) -> int:
    """Judges the challenger against the champion and acts on it; returns the exit status.

    Raises:
        InputError: If there is nothing to judge, something of it is gone, or somebody else is
            judging.
    """
    with turn(root() / LOCK, WHAT), step_run("promote", params.model_dump()) as run:
        registry = Registry(params.package.name, MlflowClient())
        challenger, champion = registry.challenger(), registry.version(CHAMPION)
        if champion is not None and challenger.version == champion.version:
            print(f"{registry.name} version {champion.version} is champion already.")
            return 0
        with tempfile.TemporaryDirectory() as temporary:
            own = registry.fetch(challenger, Path(temporary, "challenger"))
            other = champion and registry.fetch(champion, Path(temporary, "champion"))
            results = judge(own, other, OUT, params.promote)
        decision = json.loads((OUT / "decision.json").read_text(encoding="utf-8"))
        registry.settle(challenger, champion, decision)
        run.metrics(results)
        run.artifacts(*OUT.iterdir())
    print((OUT / "DECISION.md").read_text(encoding="utf-8"))
    return 0 if decision["promoted"] else REFUSED


def roll_back(params: Params) -> int:
    """Makes the previous champion champion again; returns the exit status.

    Raises:
        InputError: If there is none, it is not whole, or somebody else moves aliases.
    """
    with turn(root() / LOCK, WHAT), step_run("rollback", params.model_dump()):
        going, coming = Registry(params.package.name, MlflowClient()).roll_back()
    print(f"{coming.name} version {coming.version} is champion again, in place of {going.version}.")
    return 0
