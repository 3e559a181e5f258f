"""`python -m components STEP`: reads params.yaml, opens the MLflow run, calls the step.

This is the only place where settings, paths, metrics files and MLflow meet the steps.
Imports are late because TensorFlow and MLflow take seconds that `--help`, a wrong key and
half of the steps need not wait for.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import rank, settings
from components.data.labels import LABEL_SETS
from components.errors import InputError, exit_status
from components.settings import Params, TrainSettings

if TYPE_CHECKING:
    from components.tracking import StepRun

ARTIFACTS = Path("artifacts")
FACES = ARTIFACTS / "ingest"
KEPT = ARTIFACTS / "clean"
TRAINING = ARTIFACTS / "balance"
METRICS = Path("metrics")
PLOTS = Path("plots")
CHECKPOINTS = Path(".checkpoints")

TUNER = "KERASTUNER_TUNER_ID"  # names this process where a search has a chief and workers

Metrics = dict[str, float]


def ingest(params: Params, run: "StepRun") -> Metrics:
    """read the data set that data.dvc names into arrays"""
    from components.ingest import ingest

    return ingest(Path(params.ingest.source), FACES, params.ingest)


def clean(params: Params, run: "StepRun") -> Metrics:
    """give every face its label; set aside non-faces, copies and leaks"""
    from components.clean import clean

    metrics = clean(FACES, KEPT, params.clean)
    run.artifacts(KEPT / "sheets", KEPT / "quarantine.csv", KEPT / "report.html")
    return metrics


def balance(params: Params, run: "StepRun") -> Metrics:
    """choose, make and weigh the training faces"""
    from components.balance import balance

    metrics = balance(FACES, KEPT, TRAINING, params.balance)
    run.artifacts(*TRAINING.glob("sheets"))
    return metrics


def datacard(params: Params, run: "StepRun") -> Metrics:
    """describe the data, before and after each step"""
    from components.datacard import datacard

    out = ARTIFACTS / "datacard"
    metrics = datacard(FACES, KEPT, TRAINING, out, PLOTS / "datacard")
    run.artifacts(out / "DATA_CARD.html")
    return metrics


def search(params: Params, run: "StepRun") -> Metrics:
    """look for an architecture with Keras Tuner"""
    from components.search import search

    out = ARTIFACTS / "search"
    metrics = search(
        FACES,
        KEPT,
        TRAINING,
        out,
        params.search,
        classes=LABEL_SETS[params.clean.label_set],
        checkpoints=CHECKPOINTS / "search",
        on_trial=run.trial,
    )
    run.artifacts(out)
    return metrics


def design(params: Params, run: "StepRun") -> Metrics:
    """write down every member's network"""
    from components.design import design

    classes = len(LABEL_SETS[params.clean.label_set])
    out = ARTIFACTS / "design"
    metrics = design(FACES, ARTIFACTS / "search", out, params.design, classes=classes)
    run.artifacts(out)
    return metrics


def train(params: Params, run: "StepRun", member: str) -> Metrics:
    """train one member, from its last checkpoint if there is one"""
    run.parameters(_recipe(params, member).model_dump())
    metrics = _train(params, member, on_epoch=run.epoch)
    out = ARTIFACTS / "train" / member
    run.artifacts(out / "curves.csv", out / "curves.png")
    return metrics


def _recipe(params: Params, member: str) -> TrainSettings:
    for section, known in (("train.members", params.train.members), ("design", params.design)):
        if member not in known:
            raise InputError(
                f"params.yaml: {section} has no {member!r}; it has {', '.join(known)}."
            )
    return params.train.members[member]


def _train(params: Params, member: str, **options: Any) -> Metrics:
    from components.train import train

    recipe = _recipe(params, member)
    weights = params.design[member].weights
    return train(
        ARTIFACTS / "design" / f"{member}.json",
        FACES,
        KEPT,
        TRAINING,
        ARTIFACTS / "train" / member,
        recipe,
        classes=LABEL_SETS[params.clean.label_set],
        checkpoints=CHECKPOINTS / "train" / member,
        weights=Path(weights) if weights else None,
        **options,
    )


def ensemble(params: Params, run: "StepRun") -> Metrics:
    """combine the members, calibrate, and score the test split"""
    from components.ensemble import ensemble

    figures = PLOTS / "ensemble"
    metrics = ensemble(
        _members(params),
        ARTIFACTS / "ensemble",
        figures,
        params.ensemble,
        classes=LABEL_SETS[params.clean.label_set],
    )
    run.artifacts(figures)
    run.headline(metrics)
    return metrics


def evaluate(params: Params, run: "StepRun") -> Metrics:
    """look at the answers from every side, and write the report"""
    from components import metrics
    from components.evaluate import evaluate

    out, figures = ARTIFACTS / "evaluate", PLOTS / "evaluate"
    results = evaluate(
        _members(params),
        ARTIFACTS / "ensemble",
        PLOTS / "ensemble",
        FACES,
        metrics.read(METRICS / "ensemble.json"),
        out,
        figures,
        params.evaluate,
        classes=LABEL_SETS[params.clean.label_set],
    )
    run.artifacts(out / "report.html", figures)
    return results


def baseline(params: Params, run: "StepRun") -> Metrics:
    """score what was done before end-to-end training"""
    from components.baseline import baseline
    from components.predictions import unaware_of_validation

    figures = PLOTS / "baseline"
    metrics = baseline(
        FACES,
        KEPT,
        TRAINING,
        unaware_of_validation(ARTIFACTS / "train" / params.baseline.member),
        ARTIFACTS / "baseline",
        figures,
        params.baseline,
        classes=LABEL_SETS[params.clean.label_set],
    )
    run.artifacts(figures)
    return metrics


def package(params: Params, run: "StepRun") -> Metrics:
    """export the ensemble to one ONNX graph and register it"""
    from components import metrics
    from components.package import package
    from components.tracking import data_md5

    out = ARTIFACTS / "package"
    results = package(
        _members(params),
        ARTIFACTS / "ensemble",
        FACES,
        metrics.read(METRICS / "ensemble.json"),
        out,
        params.package,
        label_set=params.clean.label_set,
        classes=LABEL_SETS[params.clean.label_set],
        data_md5=data_md5(Path.cwd()),
    )
    answers = ARTIFACTS / "ensemble" / "predictions.parquet"  # what the gate will judge it by
    run.artifacts(out / "manifest.json", out / "MODEL_CARD.md", answers)
    run.register(out)
    return results


STEPS: dict[str, Callable[..., Metrics]] = {
    step.__name__: step
    for step in (
        ingest,
        clean,
        balance,
        datacard,
        search,
        design,
        train,
        ensemble,
        evaluate,
        baseline,
        package,
    )
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one step; returns the process's exit status."""
    chosen = _parser().parse_args(arguments)
    return exit_status(f"mien {chosen.step}", lambda: _do(chosen))


def _do(chosen: argparse.Namespace) -> int:
    params = settings.load(chosen.params)
    # The libraries' start-up chatter would bury the one line that matters when a step fails.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if chosen.step == "synthesize":
        _synthesize(params, chosen.out)
    elif chosen.step in ("promote", "rollback"):
        from components import gate

        return {"promote": gate.promote, "rollback": gate.roll_back}[chosen.step](params)
    # Of a team only the chief has the results, the metrics and the MLflow run.
    elif chosen.step == "search" and "chief" not in os.environ.get(TUNER, "chief"):
        _help_search(params)
    elif chosen.step == "train" and not rank.is_chief():
        _train(params, chosen.member)
    else:
        _run(chosen.step, params, getattr(chosen, "member", None))
    return 0


def _run(step: str, params: Params, member: str | None) -> None:
    from components import metrics
    from components.tracking import step_run

    own = {"member": member} if member else {}
    name = f"{step} {member}" if member else step
    file = METRICS / step / f"{member}.json" if member else METRICS / f"{step}.json"
    with step_run(name, params.model_dump()) as run:
        results = STEPS[step](params, run, **own)
        run.metrics(results)
    metrics.write(file, results)


def _help_search(params: Params) -> None:
    from components.search import work

    work(
        *(FACES, KEPT, TRAINING, params.search),
        classes=LABEL_SETS[params.clean.label_set],
        checkpoints=CHECKPOINTS / "search",
    )


def _synthesize(params: Params, out: Path) -> None:
    from components.outputs import replacing
    from components.synthesize import synthesize

    if out.exists():
        raise InputError(f"{out} exists already; remove it first (`make clean-data`).")
    with replacing(out) as folder:
        synthesize(folder, faces=params.synthesize.faces, seed=params.synthesize.seed)


def _members(params: Params) -> dict[str, Path]:
    return {name: ARTIFACTS / "train" / name for name in params.ensemble.members}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components",
        description="Run one step of mien. `dvc repro` runs those that have something to do.",
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="settings file")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    drawn = steps.add_parser("synthesize", help="draw the embedded data set")
    steps.add_parser("promote", help="judge what was packaged last; 3 if it is refused")
    steps.add_parser("rollback", help="make the previous champion champion again")
    drawn.add_argument("--out", type=Path, default=Path("data"), help="folder to make")
    for name, step in STEPS.items():
        own = steps.add_parser(name, help=step.__doc__, description=step.__doc__)
        if name == "train":
            own.add_argument("member", help="one of train.members in params.yaml")
    return parser


if __name__ == "__main__":
    sys.exit(main())
