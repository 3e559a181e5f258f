"""The whole chain for real: faces, `dvc repro`, MLflow, a resumed training, a served answer.

In a clone of its own, with a tiny data set, one epoch and two small members.
"""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import urllib.request
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient

from components.metrics import read
from serving.engine import Engine, read_manifest
from tests.waiting import until

MEMBERS = ["mini_xception", "searched"]
STEPS = ["ingest", "clean", "balance", "datacard", "search", "design", "ensemble", "evaluate"]
STEPS += ["baseline", "package", *(f"train {member}" for member in MEMBERS)]


@pytest.fixture(scope="module")
def reproduced(clone):
    """The clone after `dvc repro`."""
    clone.run("python", "-m", "components", "synthesize")
    clone.run("dvc", "add", "--quiet", "data")
    clone.commit()
    clone.run("dvc", "repro")
    return clone


@pytest.fixture(scope="module")
def runs(reproduced):
    """The MLflow runs by name."""
    client = MlflowClient(f"sqlite:///{reproduced.path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mien").experiment_id
    return {run.info.run_name: run for run in client.search_runs([experiment])}


def test_a_second_repro_does_nothing(reproduced):
    assert "up to date" in reproduced.run("dvc", "repro")


def test_changed_data_is_refused_and_missing_data_comes_back(reproduced):
    truth = reproduced.path / "data" / "truth.csv"
    before = truth.read_bytes()
    truth.write_bytes(before + b"\n")
    said = reproduced.run("python", "-m", "pipelines.data", check=False)
    assert "data/ is not what data.dvc names" in said
    shutil.rmtree(truth.parent)
    reproduced.run("python", "-m", "pipelines.data")
    assert truth.read_bytes() == before


def test_a_parameter_reruns_only_what_depends_on_it(reproduced):
    text = (reproduced.path / "params.yaml").read_text()
    reproduced.change({"ensemble.bootstrap": 500})
    stale = yaml.safe_load(reproduced.run("dvc", "status", "--json"))
    (reproduced.path / "params.yaml").write_text(text)
    assert set(stale) == {"ensemble"}
    reproduced.change({"train.members.searched": {"epochs": 2}})
    stale = yaml.safe_load(reproduced.run("dvc", "status", "--json"))
    (reproduced.path / "params.yaml").write_text(text)
    assert set(stale) == {"train@searched"}


def test_metrics_have_the_published_split_and_the_leak_free_one(reproduced):
    metrics = read(reproduced.path / "metrics" / "ensemble.json")
    assert metrics["test.n"] > metrics["test_leak_free.n"] > 0
    assert 0 <= metrics["test.accuracy_low"] <= metrics["test.accuracy"]
    shown = reproduced.run("dvc", "metrics", "show")
    assert "metrics/ensemble.json" in shown
    assert "metrics/train/mini_xception.json" in shown


def test_plots_open_without_a_network(reproduced):
    reproduced.run("python", "-m", "pipelines.plots_page")
    reproduced.run("dvc", "plots", "show")
    page = (reproduced.path / "dvc_plots" / "index.html").read_text()
    for title in ("Ensemble on the test split", "Reliability of the ensemble"):
        assert title in page
    assert "<script src" not in page
    assert "https://cdn" not in page


def test_every_step_is_a_run_below_one_experiment(reproduced, runs):
    (parent,) = [name for name in runs if name.startswith("repro-")]
    assert set(runs) >= {parent, *STEPS}
    data = yaml.safe_load((reproduced.path / "data.dvc").read_text())["outs"][0]["md5"]
    for step in STEPS:
        tags = runs[step].data.tags
        assert tags["mlflow.parentRunId"] == runs[parent].info.run_id
        assert tags["mien.data_md5"] == data
        assert len(tags["mien.git_revision"]) >= 40
        assert runs[step].info.status == "FINISHED"
    trials = [name for name in runs if name.startswith("trial ")]
    assert len(trials) == 2
    assert runs[trials[0]].data.tags["mlflow.parentRunId"] == runs["search"].info.run_id


def test_runs_carry_parameters_curves_and_metrics(runs):
    (parent,) = [run for name, run in runs.items() if name.startswith("repro-")]
    assert parent.data.params["train.common.epochs"] == "1"
    assert "test.accuracy" in parent.data.metrics
    assert "val_accuracy" in runs["train mini_xception"].data.metrics
    assert "test.accuracy" in runs["ensemble"].data.metrics


def test_the_ensemble_is_registered_with_its_lineage(reproduced):
    client = MlflowClient(f"sqlite:///{reproduced.path / 'mlflow.db'}")
    (version,) = client.search_model_versions("name = 'mien'")
    manifest = read_manifest(reproduced.path / "artifacts" / "package")
    assert version.tags["onnx_sha256"] == manifest["onnx_sha256"]
    assert version.tags["data_md5"] == manifest["data_md5"]


def test_kubeflow_gives_the_same_metrics_below_the_same_run(reproduced, runs):
    said = reproduced.run("python", "-m", "pipelines.kubeflow", "run")
    assert "What the tasks made is in .kubeflow/mien-" in said
    (made,) = (reproduced.path / ".kubeflow").glob("mien-*")
    expected, got = (
        {file.stem: read(file) for file in folder.rglob("*.json") if "metrics" in file.parts}
        for folder in (reproduced.path / "metrics", made)
    )
    ran = {step.split()[-1] for step in STEPS}  # the clone came with metrics of other members
    assert got == {step: metrics for step, metrics in expected.items() if step in ran}
    assert len(got) == len(STEPS)
    client = MlflowClient(f"sqlite:///{reproduced.path / 'mlflow.db'}")
    (parent,) = [run for name, run in runs.items() if name.startswith("repro-")]
    query = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    below = client.search_runs([parent.info.experiment_id], query)
    names = Counter(run.info.run_name for run in below)
    assert names == dict.fromkeys(STEPS, 2) | {"kubeflow": 1}


def test_an_experiment_in_a_temporary_copy_logs_to_the_same_store(reproduced):
    store = reproduced.path / "mlflow.db"
    with sqlite3.connect(store) as connection:
        (before,) = connection.execute("select count(*) from runs").fetchone()
    reproduced.commit()
    bentos = reproduced.path / "bentoml-home/bentos/mien"
    known = set(bentos.glob("*-*"))
    changes = ["ensemble.weights=equal", "package.weights=float16", "package.parity_tolerance=0.01"]
    settings = [part for change in changes for part in ("-S", change)]
    reproduced.run("dvc", "exp", "run", "--temp", "--name", "equal", *settings)
    assert len(set(bentos.glob("*-*")) - known) == 1
    with sqlite3.connect(store) as connection:
        (after,) = connection.execute("select count(*) from runs").fetchone()
        tags = "select value from tags where key = 'mien.dvc_experiment'"
        assert ("equal",) in connection.execute(tags).fetchall()
    assert after > before
    assert "equal" in reproduced.run("dvc", "exp", "show", "--csv")


def test_a_killed_training_goes_on_from_its_checkpoint(reproduced, tmp_path):
    reproduced.change({"train.members.mini_xception": {"epochs": 10}})
    log = tmp_path / "log"
    stage = "train@mini_xception"
    running = reproduced.start("dvc", "repro", "--single-item", stage, log=log)
    checkpoints = reproduced.path / ".checkpoints" / "train" / "mini_xception"
    until(lambda: done_epochs(checkpoints) >= 2, running, log)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    done = done_epochs(checkpoints)
    printed = reproduced.run("dvc", "repro", "--single-item", stage)
    assert f"Epoch {done}/10" in printed or f"Epoch {done + 1}/10" in printed
    assert "Epoch 1/10" not in printed
    curves = reproduced.path / "artifacts" / "train" / "mini_xception" / "curves.csv"
    assert len(curves.read_text().splitlines()) == 11


def test_a_release_outdates_no_step(reproduced):
    before = reproduced.run("dvc", "status")
    reproduced.run("python", "-m", "pipelines.release")
    assert reproduced.run("dvc", "status") == before


def test_a_release_leaves_out_trainings_of_other_networks(reproduced, runs):
    client = MlflowClient(f"sqlite:///{reproduced.path / 'mlflow.db'}")
    tags = runs["design"].data.tags
    other = {key: tags[key] for key in tags if key.startswith("mien.")}
    for name, parent in {"train other": "repro-other", "repro-other": "repro-other"}.items():
        stray = client.create_run(
            runs["design"].info.experiment_id,
            start_time=runs["design"].info.start_time,
            tags=other | {"mien.experiment": parent},
            run_name=name,
        )
        client.set_terminated(stray.info.run_id)
    reproduced.run("python", "-m", "pipelines.release")
    exported = json.loads((reproduced.path / "serving/released/fer2013/runs.json").read_text())
    trained = {name for name in exported if name.startswith("train ")}
    assert trained == {f"train {member}" for member in MEMBERS}
    assert "repro-other" not in exported
    assert tags["mien.experiment"] in exported


def test_a_release_has_its_evidence_and_no_label_of_the_data(reproduced):
    reproduced.run("python", "-m", "pipelines.release")
    released = reproduced.path / "serving/released/fer2013"
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=released, check=True)
    files = {str(path.relative_to(released)) for path in released.rglob("*") if path.is_file()}
    assert {"ensemble.onnx", "MODEL_CARD.md", "params.yaml", "dvc.lock", "confusion.png"} < files
    classes = read_manifest(released)["classes"]
    answers = pd.read_parquet(released / "predictions.parquet")
    assert list(answers) == ["row", "split", *classes]
    metrics = json.loads((released / "metrics/ensemble.json").read_text())
    assert len(answers) == metrics["test.n"]
    runs = json.loads((released / "runs.json").read_text())
    logged = runs["ensemble"]["metrics"]["test.accuracy"]
    assert logged == pytest.approx(metrics["test.accuracy"], abs=1e-6)
    page = (reproduced.path / "docs/results.md").read_text()
    accuracy = f"| {metrics['test.accuracy']:.3f} ({metrics['test.accuracy_low']:.3f}"
    assert accuracy in page
    assert accuracy in (reproduced.path / "README.md").read_text()
    card = (released / "MODEL_CARD.md").read_text()
    assert card.index("## Intended use") < card.index("## Slices") < card.index("licence")
    trained = reproduced.path / "artifacts/train"
    members = {
        "mini_xception.keras": "mini_xception/model.keras",
        "mini_xception.csv": "mini_xception/curves.csv",
        "searched.keras": "searched/model.keras",
        "searched.selected.keras": "searched/selected.keras",
        "searched.csv": "searched/curves.csv",
    }
    assert {path.name for path in (released / "members").iterdir()} == set(members)
    for kept, file in members.items():
        assert (released / "members" / kept).read_bytes() == (trained / file).read_bytes()
    assert "searched went on learning with most faces of the" in card
    assert "`searched` learnt PublicTest's faces, too" in page
    for picture in re.findall(r"\]\((.*?)\)", page):
        assert (reproduced.path / "docs" / picture).exists()


def test_the_served_answer_is_that_of_the_released_graph(reproduced, tmp_path):
    package = reproduced.path / "serving/released/fer2013"
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    picture = tmp_path / "face.png"
    cv2.imwrite(str(picture), face)
    (expected,) = Engine(package, threads=1).probabilities(face[None, ..., None])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "serve.log"
    tag = reproduced.run("python", "-m", "pipelines.bento", str(package)).splitlines()[-1]
    server = reproduced.start("bentoml", "serve", tag, "--port", str(port), log=log)
    try:
        until(lambda: ready(port), server, log)
        answer = post(port, picture)
        classes = read_manifest(package)["classes"]
        got = [answer["probabilities"][name] for name in classes]
        np.testing.assert_allclose(got, expected, atol=1e-5)
        assert answer["label"] == classes[int(expected.argmax())]
        assert answer["model_version"] == read_manifest(package)["version"]
        (tmp_path / "broken.png").write_bytes(picture.read_bytes()[:40])
        assert "cannot be read as a picture" in post(port, tmp_path / "broken.png", status=400)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def done_epochs(checkpoints: Path) -> int:
    logs = list(checkpoints.glob("*/curves.csv"))
    return max(len(logs[0].read_text().splitlines()) - 1, 0) if logs else 0


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except OSError:
        return False


def post(port: int, picture: Path, status: int = 200):
    """Posts a picture; returns the JSON of the answer, or its text when it is an error."""
    import requests

    url = f"http://127.0.0.1:{port}/predict"
    files = {"image": (picture.name, picture.read_bytes(), "image/png")}
    answer = requests.post(url, files=files, timeout=60)
    assert answer.status_code == status, answer.text
    return answer.json() if status == 200 else answer.text
