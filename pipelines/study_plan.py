"""What the study consists of: `study.yaml`, and what DVC is given for each of its experiments."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from components.errors import InputError
from components.settings import Section, overlay

Values = dict[str, Any]


class Scratch(Section):
    design: Values
    train: Values


class Network(Section):
    design: Values
    train: Values
    from_scratch: Scratch | None = None


class Share(Section):
    """What a budget has for one network, over what it has for all."""

    design: Values = Field(default_factory=dict)
    train: Values = Field(default_factory=dict)


class Budget(Section):
    params: Values
    design: Values
    train: Values
    networks: dict[str, Share] = Field(default_factory=dict)


class Gain(Section):
    """What an experiment is compared with, and by how much the work says it was better."""

    over: str
    points: float | None = None


class Experiment(Section):
    work: str
    title: str
    members: list[str]
    params: Values = Field(default_factory=dict)
    target: Literal["ensemble", "baseline"] = "ensemble"
    claim: float | None = None
    gain: Gain | None = None
    note: str | None = None


class Study(Section):
    """All of `study.yaml`."""

    budgets: dict[str, Budget]
    networks: dict[str, Network]
    experiments: dict[str, Experiment]


def load(path: Path) -> Study:
    """Reads and checks `study.yaml`.

    Raises:
        InputError: One sentence that names the file and what is wrong with it.
    """
    try:
        study = Study.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}.") from None
    named = {name: list(budget.networks) for name, budget in study.budgets.items()}
    named |= {name: experiment.members for name, experiment in study.experiments.items()}
    for name, networks in named.items():
        for network in networks:
            if network not in study.networks:
                raise InputError(f"{path}: {name} names {network!r}, which networks does not have.")
    for name, experiment in study.experiments.items():
        if experiment.gain and experiment.gain.over not in study.experiments:
            raise InputError(f"{path}: {name} is compared with {experiment.gain.over!r}, unknown.")
    return study


def compose(
    params: Values,
    study: Study,
    experiment: Experiment,
    budget: Budget,
    there: Callable[[str], bool],
) -> Values:
    """Returns the params.yaml of an experiment.

    Every network is designed, the searched one only where it is trained, so that experiments
    share that stage.

    Args:
        params: params.yaml as it is.
        study: All of the study.
        experiment: One of its entries.
        budget: One of its budgets.
        there: Whether a weights file is there.
    """
    designs, recipes = {}, {}
    for name, network in study.networks.items():
        design, recipe = network.design, network.train
        if design.get("weights") and not there(design["weights"]):
            design = overlay(design, network.from_scratch.design) | {"weights": None}
            recipe = overlay(recipe, network.from_scratch.train)
        own = budget.networks.get(name, Share())
        if name in experiment.members or name != "searched":
            designs[name] = overlay(overlay(design, budget.design), own.design)
        if name in experiment.members:
            recipes[name] = overlay(overlay(recipe, budget.train), own.train)
    chosen = {
        "ensemble": {"members": experiment.members},
        "baseline": {"member": experiment.members[0]},
    }
    mixed = overlay(overlay(params, budget.params), chosen)
    mixed |= {"design": designs, "train": mixed["train"] | {"members": recipes}}
    return overlay(mixed, experiment.params)


def pipeline(text: str, searched: bool) -> str:
    """Returns dvc.yaml as experiments need it.

    DVC's run cache passes persistent outs over, and they are persistent for the sake of the
    working tree alone. Where no member is the searched one, nothing is searched for.
    """
    plan = yaml.safe_load(text)
    for stage in plan["stages"].values():
        for kind in ("outs", "metrics"):
            for out in stage.get(kind, []):
                (options,) = out.values()
                del options["persist"]
    if not searched:
        plan["stages"]["design"]["deps"].remove("artifacts/search")
    return yaml.safe_dump(plan, sort_keys=False)
