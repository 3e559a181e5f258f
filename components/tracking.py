"""MLflow: one parent run an experiment, a nested run a step, trials nested below.

Only the command line (`__main__.py`) tracks; a step never does.
"""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import onnx
import yaml
from mlflow.entities import Metric, Param, RunStatus
from mlflow.tracking import MlflowClient

from components.outages import Outage, be_patient, kept_going
from components.registry import IDENTITY, Registry

if TYPE_CHECKING:
    from components.tuner import Trial

EXPERIMENT = "mien"
KEY = "mien.experiment"
DVC_EXPERIMENT = "mien.dvc_experiment"
SQLITE = "sqlite:///"


def root() -> Path:
    """Returns the repository that holds the MLflow store.

    `dvc exp run --temp` and `--queue` work in a copy that is thrown away; DVC names the
    true repository in `DVC_ROOT`.
    """
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def data_md5(repository: Path) -> str:
    """Returns the md5 of the data set that `data.dvc` names, or `unknown` without it."""
    pointer = repository / "data.dvc"
    if not pointer.exists():
        return "unknown"
    return yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"]


def git_revision() -> str:
    """Returns the commit, with `-dirty` when tracked files differ from it."""
    # What the pipeline itself rewrites while it runs is no change of the code.
    tracked = ["--", ".", ":(exclude)dvc.lock", ":(exclude)metrics"]
    commands = [["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain", "-uno", *tracked]]
    try:
        head, changes = (
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-dirty" if changes else head


def connect() -> MlflowClient:
    """Returns a client of `MLFLOW_TRACKING_URI`, or else of the store in the repository."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    be_patient()
    if "MLFLOW_TRACKING_URI" not in os.environ:
        mlflow.set_tracking_uri(_local_store())  # which sets the variable, too
    return MlflowClient()


def _local_store() -> str:
    return f"{SQLITE}{root() / 'mlflow.db'}"


@contextmanager
def step_run(step: str, parameters: dict[str, Any]) -> Iterator["StepRun"]:
    """Opens the nested run of a step below the run of its experiment.

    The experiment is the DVC experiment, or for a plain `dvc repro` the combination of data
    and parameters; its run is found by tag, so that steps in processes of their own meet.

    Args:
        step: Name of the run.
        parameters: All of `params.yaml`, nested.

    Yields:
        What the step's progress and results are logged through.
    """
    run = StepRun(step)
    run.open(parameters)
    status = RunStatus.FAILED
    try:
        yield run
        status = RunStatus.FINISHED
    finally:
        run.close(RunStatus.to_string(status))


def _tags(parameters: dict[str, str]) -> dict[str, str]:
    """Returns what says which experiment a run belongs to, and what it was made of."""
    data = data_md5(Path.cwd())
    digest = hashlib.blake2b(f"{data} {sorted(parameters.items())}".encode(), digest_size=4)
    name = os.environ.get("DVC_EXP_NAME") or "repro"
    return {
        KEY: f"{name}-{digest.hexdigest()}",
        "mien.data_md5": data,
        "mien.git_revision": git_revision(),
        DVC_EXPERIMENT: os.environ.get("DVC_EXP_NAME", ""),
    }


class StepRun:
    """The MLflow run of one step, open while the step works.

    Args:
        step: Name of the run.

    Attributes:
        outage: What could not be logged.
        parent: Id of the experiment's run.
        own: The step's run; None where MLflow was out of order when the step began.
    """

    def __init__(self, step: str) -> None:
        self.step = step
        self.outage = Outage()
        self.parent = ""
        self.own: mlflow.ActiveRun | None = None

    def open(self, parameters: dict[str, Any]) -> None:
        """Opens the run below that of its experiment; without MLflow, nothing will be logged."""
        flat = flatten(parameters)
        tags = _tags(flat)

        def start() -> None:
            client = connect()
            experiment = _experiment(client)
            self.parent = _parent(client, experiment, tags, flat)
            mlflow.set_experiment(experiment_id=experiment)
            mlflow.start_run(run_id=self.parent)
            own = mlflow.start_run(run_name=self.step, nested=True)
            mlflow.set_tags(tags | {"mien.step": self.step})
            self.own = own

        self.outage.attempt("the run", start)
        if self.own is None:
            self.outage.give_up()  # there is nothing to log to

    def close(self, status: str) -> None:
        """Ends both runs and says what was not logged."""
        for _ in ("own", "the experiment's"):
            if mlflow.active_run() is not None:
                self.outage.attempt("a run's end", lambda: mlflow.end_run(status), always=True)
        self.outage.tell(self.step)

    @kept_going("parameters")
    def parameters(self, values: dict[str, Any]) -> None:
        """Logs the step's own settings, nested or flat."""
        mlflow.log_params(flatten(values))

    @kept_going("epoch")
    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        """Logs one epoch's figures."""
        mlflow.log_metrics({name: float(value) for name, value in figures.items()}, step=epoch)

    @kept_going("trial")
    def trial(self, trial: "Trial") -> None:
        """Logs a finished trial of the search as a run nested below this one."""
        # Named, since the thread that a chief hears its workers in knows of no open run.
        place = {
            "parent_run_id": self.own.info.run_id,
            "experiment_id": self.own.info.experiment_id,
        }
        with mlflow.start_run(run_name=f"trial {trial.name}", nested=True, **place):
            for key, value in trial.architecture.items():
                parts = value if isinstance(value, list) else []
                mlflow.log_params({} if parts else {key: value})
                for number, part in enumerate(parts, start=1):
                    mlflow.log_params(flatten(part, f"{key.removesuffix('s')}{number}."))
            mlflow.log_metrics({"parameters": trial.parameters, "mmacs": trial.mmacs})
            for figures in trial.curve:
                self.epoch(int(figures["epoch"]), figures)

    @kept_going("metrics")
    def metrics(self, metrics: dict[str, float]) -> None:
        """Logs the step's metrics."""
        mlflow.log_metrics(metrics)

    @kept_going("headline metrics")
    def headline(self, metrics: dict[str, float]) -> None:
        """Logs metrics to the experiment's own run, so that the runs table compares them."""
        now = int(time.time() * 1000)
        entries = [Metric(name, value, now, 0) for name, value in metrics.items()]
        MlflowClient().log_batch(self.parent, metrics=entries)

    @kept_going("artifacts")
    def artifacts(self, *paths: Path) -> None:
        """Logs files, and folders below their own names."""
        for path in paths:
            if path.is_dir():
                mlflow.log_artifacts(str(path), path.name)
            else:
                mlflow.log_artifact(str(path))

    @kept_going(
        "the model's version in the registry (`dvc repro --force --single-item package` adds it)"
    )
    def register(self, package: Path) -> None:
        """Makes the packaged ensemble the challenger, as a new version of the registered model.

        A graph that was measured on the same test faces before has its version already.

        The registered model is the ONNX graph that is served, not the Keras members, so that
        a version and an answer can be compared byte for byte. Its tags lead back to the data.

        Args:
            package: Folder that the `package` step wrote.
        """
        manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
        client = MlflowClient()
        registry = Registry(manifest["name"], client)
        known = registry.packaged(manifest)
        if known is not None:
            # Made again, perhaps by a commit of what was not committed the first time.
            made = (manifest["name"], known.version)
            client.set_model_version_tag(*made, "git_revision", git_revision())
            registry.challenge(known.version)
            return
        faces = np.zeros((1, *manifest["input"]["shape"]), np.uint8)
        answer = np.zeros((1, len(manifest["classes"])), np.float32)
        logged = mlflow.onnx.log_model(
            onnx.load(package / "ensemble.onnx"),
            name="ensemble",
            signature=mlflow.models.infer_signature(faces, answer),
            input_example=faces,
            pip_requirements=["onnxruntime", "numpy"],  # to infer them takes 19 s
            save_as_external_data=False,  # one file, as it is served
        )
        shown = (*IDENTITY, "data_md5", "label_set", "version")
        tags = {key: manifest[key] for key in shown} | {"git_revision": git_revision()}
        made = mlflow.register_model(logged.model_uri, manifest["name"], tags=tags)
        registry.challenge(made.version)


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Returns nested settings as `{"train.common.epochs": "30", …}`."""
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _experiment(client: MlflowClient) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return found.experiment_id
    # MLflow would put artifacts below the working directory, which may be a throw-away copy.
    uri = mlflow.get_tracking_uri()
    beside = Path(uri.removeprefix(SQLITE)).parent / "mlruns" if uri.startswith(SQLITE) else None
    return client.create_experiment(EXPERIMENT, beside and beside.resolve().as_uri())


def _parent(
    client: MlflowClient, experiment: str, tags: dict[str, str], flat: dict[str, str]
) -> str:
    """Finds or opens the experiment's run, whose steps come later."""
    query = f"tags.`{KEY}` = '{tags[KEY]}' and tags.`mien.step` = 'experiment'"
    found = client.search_runs([experiment], query)
    if found:
        return found[0].info.run_id
    run = client.create_run(experiment, run_name=tags[KEY], tags=tags | {"mien.step": "experiment"})
    parameters = [Param(key, value) for key, value in flat.items()]
    client.log_batch(run.info.run_id, params=parameters)
    client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FINISHED))
    return run.info.run_id
