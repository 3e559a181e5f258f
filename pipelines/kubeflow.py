"""The stages of `dvc.yaml` as a pipeline of Kubeflow, for a cluster or for this machine.

    python -m pipelines.kubeflow compile [--image IMAGE] [--env NAME=VALUE] [--out mien.yaml]
    python -m pipelines.kubeflow run [--folder .kubeflow]

Settings and the md5 of the data are the pipeline's parameters; params.yaml and data.dvc are their
defaults. What ran with the same settings, data and image comes from Kubeflow's cache, so that a
pipeline which failed goes on where it stopped. `run` needs no cluster: a task is a process here.
"""

import argparse
import math
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import yaml
from kfp import compiler, dsl, local

from components import settings
from components.errors import InputError
from pipelines import kubeflow_tasks as steps
from pipelines.pod import ROOT, data_md5

# Requested, and at most: processors and memory.
SMALL = ("1", "2"), ("2G", "8G")
LARGE = ("2", "8"), ("4G", "16G")
SIZES = dict.fromkeys(["search", "train", "evaluate", "baseline", "package"], LARGE)


def pipeline(
    image: str = steps.IMAGE,
    environment: dict[str, str] | None = None,
    *,
    here: bool = False,
) -> Callable[..., dsl.PipelineTask]:
    """Returns the pipeline, to be compiled or run.

    Args:
        image: What the tasks run in.
        environment: Variables of every task, such as MLflow's address.
        here: For this machine: one training at a time, no second try, and no sizes of pods.
    """

    def placed(task: dsl.PipelineTask) -> dsl.PipelineTask:
        # `begin` always runs: it checks, and opens MLflow's run.
        task.set_container_image(image).set_caching_options(task.name != "begin")
        for name, value in (environment or {}).items():
            task.set_env_variable(name, value)
        return task if here else _sized(task)

    @dsl.pipeline(name="mien", description="From faces to a packaged ensemble, as in dvc.yaml.")
    def mien(params: str, md5: str):
        made = {}

        def run(step: Callable[..., dsl.PipelineTask], *needed: str, **more: str) -> None:
            inputs = {name: made[name] for name in needed}
            if "train" in inputs:
                inputs["train"] = dsl.Collected(made["train"])  # of all members
            made[step.name] = placed(step(params=params, **inputs, **more)).outputs["out"]

        begun = placed(steps.begin(params=params))
        made["data"] = placed(steps.data(md5=md5)).after(begun).outputs["out"]
        run(steps.ingest, "data")
        run(steps.clean, "ingest")
        run(steps.balance, "ingest", "clean")
        run(steps.datacard, "ingest", "clean", "balance")
        run(steps.search, "ingest", "clean", "balance")
        run(steps.design, "ingest", "search")
        with dsl.ParallelFor(begun.output, parallelism=1 if here else None) as member:
            run(steps.train, "ingest", "clean", "balance", "design", member=member)
        run(steps.ensemble, "train")
        run(steps.evaluate, "ingest", "train", "ensemble")
        run(steps.baseline, "ingest", "clean", "balance", "train")
        run(steps.package, "ingest", "train", "ensemble")

    return mien


def _sized(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Gives a task what a pod needs: requests, limits, and two more tries."""
    (processors, most_processors), (memory, most_memory) = SIZES.get(task.name, SMALL)
    task.set_retry(2, backoff_duration="30s", backoff_factor=2)
    task.set_cpu_request(processors).set_cpu_limit(most_processors)
    return task.set_memory_request(memory).set_memory_limit(most_memory)


def run(params: str, folder: Path) -> Path:
    """Runs the pipeline on this machine, one task after another.

    Args:
        params: The text of `params.yaml`.
        folder: Where runs are kept, each in a folder of its own, and in that each task.

    Returns:
        The folder of this run.

    Raises:
        RuntimeError: If a task fails, once; it has said why.
    """
    before = set(folder.glob("mien-*"))
    os.environ["PYTHONPATH"] = str(ROOT)  # of the tasks
    warnings.filterwarnings("ignore", message="You may be attemping")  # no image is used
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder))
    pipeline(here=True)(params=params, md5=data_md5())
    (made,) = set(folder.glob("mien-*")) - before
    return made


def one_line(file: Path) -> str:
    """Returns checked settings as YAML of one line: KFP writes defaults into a comment.

    Raises:
        InputError: If a setting is missing, unknown or out of range.
    """
    settings.load(file)
    given = yaml.safe_load(file.read_text(encoding="utf-8"))
    return yaml.safe_dump(given, sort_keys=False, default_flow_style=True, width=math.inf).strip()


def main(arguments: list[str] | None = None) -> int:
    """Returns the process's exit status."""
    chosen = _parser().parse_args(arguments)
    try:
        params = one_line(chosen.params)
        if chosen.verb == "run":
            print(f"What the tasks made is in {run(params, chosen.folder)}.")
        else:
            given = {"params": params, "md5": data_md5()}
            compiler.Compiler().compile(
                pipeline(chosen.image, dict(chosen.env)),
                str(chosen.out),
                pipeline_parameters=None if chosen.no_defaults else given,
            )
    except (InputError, RuntimeError) as error:
        print(f"mien kubeflow: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.kubeflow",
        description="The stages of dvc.yaml as a pipeline of Kubeflow.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    compiling, running = (
        verbs.add_parser(name, help=told, description=told)
        for name, told in {
            "compile": "write the YAML that a Kubeflow cluster takes",
            "run": "run the pipeline on this machine, without a cluster",
        }.items()
    )
    for verb in (compiling, running):
        verb.add_argument("--params", type=Path, default=Path("params.yaml"), help="settings file")
    compiling.add_argument("--image", default=steps.IMAGE, help="what the tasks run in")
    compiling.add_argument(
        "--env",
        metavar="NAME=VALUE",
        type=_variable,
        action="append",
        default=[],
        help="variable of every task, such as MLFLOW_TRACKING_URI; may be repeated",
    )
    compiling.add_argument(
        "--no-defaults",
        action="store_true",
        help="leave settings and data to whoever starts a run",
    )
    compiling.add_argument("--out", type=Path, default=Path("mien.yaml"), help="file to write")
    running.add_argument(
        "--folder", type=Path, default=Path(".kubeflow"), help="where the tasks' outputs go"
    )
    return parser


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
