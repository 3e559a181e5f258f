"""Where a registered model comes from: data, code, experiment, run, Bento.

    python -m pipelines.lineage MODEL_VERSION

MODEL_VERSION is a number, an alias such as `champion`, or the `model_version` of an answer.
Every link is looked up, not only printed: the commit must exist and its `data.dvc` name the
data, the run must be there and its graph have the registered bytes, and a Bento must hold it.
Ends with 1, and says which, where a link is broken.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from components import settings
from components.errors import InputError

DIRTY = "-dirty"


def main(arguments: list[str] | None = None) -> int:
    """Prints the links; returns the process's exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.lineage", description=__doc__.splitlines()[0]
    )
    parser.add_argument("version", metavar="MODEL_VERSION", help="number, alias or digest")
    chosen = parser.parse_args(arguments)
    from components.outages import needed

    try:
        name = settings.load(Path("params.yaml")).package.name
        with needed():
            for link, said in links(name, chosen.version):
                print(f"{link:8}{said}", flush=True)
    except InputError as error:
        print(f"mien lineage: {error}", file=sys.stderr)
        return 1
    return 0


def links(name: str, said: str) -> Iterator[tuple[str, str]]:
    """Follows a registered version back to its data and on to its Bento.

    Args:
        name: Of the registered model.
        said: Number, alias or digest of the version.

    Yields:
        Each link's name, and what it leads to.

    Raises:
        InputError: At the first link that is broken.
    """
    from components.registry import Registry
    from components.tracking import DVC_EXPERIMENT, connect

    registry = Registry(name, connect())
    version = registry.find(said)
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    tags = version.tags
    yield "model", f"{name} version {version.version}{aliases}, {tags['version']}"

    run = _run(registry, version)
    experiment = run.data.tags.get(DVC_EXPERIMENT, "")
    commit = _commit(tags["git_revision"], experiment)
    _check_data(commit, tags["data_md5"], run.data.tags.get("mien.data_md5", "unknown"))
    yield "data", f"md5 {tags['data_md5']}"
    yield "git", commit
    yield "dvc", f"experiment {experiment}" if experiment else "no experiment (dvc repro)"

    _check_graph(registry, version)
    parent = run.data.tags.get("mlflow.parentRunId", "none")
    yield "mlflow", f"run {run.info.run_id}, below {parent}"
    yield "bento", ", ".join(_bentos(name, tags))


def _run(registry, version):
    from mlflow.exceptions import MlflowException

    try:
        run = registry.client.get_run(version.run_id)
    except MlflowException:
        run = None
    if run is None or run.info.lifecycle_stage != "active":
        raise InputError(
            f"MLflow run {version.run_id}, which packaged version {version.version}, is gone; "
            f"bring it back with `mlflow runs restore --run-id {version.run_id}`."
        )
    return run


def _commit(revision: str, experiment: str) -> str:
    """Returns the commit that holds the code and settings a model was made with."""
    if revision == "unknown":
        raise InputError("the model was made outside of a git repository; nothing says by what.")
    if experiment:
        found = _git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
        for line in (found or "").splitlines():
            commit, _, reference = line.partition(" ")
            if reference.endswith(f"/{experiment}"):
                return commit
    if revision.endswith(DIRTY):
        what = f"DVC experiment {experiment}, which is gone," if experiment else "a working tree"
        raise InputError(
            f"the model was made from {what} with changes to {revision[:12]} that no commit holds; "
            "commit them and run `dvc repro --force --single-item package`."
        )
    if _git("cat-file", "-e", f"{revision}^{{commit}}") is None:
        raise InputError(
            f"commit {revision[:12]}, which made the model, is not in this repository; fetch it."
        )
    return revision


def _check_data(commit: str, *md5s: str) -> None:
    pointer = _git("show", f"{commit}:data.dvc")
    named = yaml.safe_load(pointer)["outs"][0]["md5"] if pointer else "no data"
    for md5 in md5s:
        if md5 != named:
            raise InputError(
                f"the model says that its data are {md5}, but data.dvc in commit {commit[:12]} "
                f"names {named}; commit data.dvc and run `dvc repro --force --single-item package`."
            )


def _check_graph(registry, version) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        graph = registry.fetch(version, Path(folder, "package")) / "ensemble.onnx"
        digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    if digest != version.tags["onnx_sha256"]:
        raise InputError(
            f"the graph that MLflow keeps of version {version.version} has the sha256 "
            f"{digest[:12]}, but {version.tags['onnx_sha256'][:12]} was registered; package it "
            "again."
        )


def _bentos(name: str, tags: dict[str, str]) -> list[str]:
    """Returns the tags of the Bentos that hold the model, the newest first."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    import bentoml

    own = [
        bento
        for bento in bentoml.bentos.list()
        if bento.tag.name == name
        and str(bento.tag.version).startswith(f"{tags['version']}-")
        and bento.info.labels.get("data_md5") == tags["data_md5"]
    ]
    if not own:
        raise InputError(
            f"no Bento here holds model {tags['version']}; `python -m pipelines.bento` builds one "
            "of the package in artifacts/package."
        )
    own.sort(key=lambda bento: bento.info.creation_time, reverse=True)
    return [str(bento.tag) for bento in own]


def _git(*arguments: str) -> str | None:
    """Returns what git prints, or None where it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
