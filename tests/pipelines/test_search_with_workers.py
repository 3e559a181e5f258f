"""The search in real processes: a chief, its workers, and what happens when one dies."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml

from components.data.faces import IMAGES, TABLE, write_images
from pipelines import search

ROOT = Path(__file__).parents[2]
TRIALS = 6
SEARCH = {"trials": TRIALS, "epochs": 1, "batch_size": 8, "max_images": 24, "input_size": 8}


@pytest.fixture
def workspace(tmp_path) -> Path:
    """A folder with params.yaml and the artifacts of the steps before, for 8x8 faces."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["search"] |= SEARCH
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    faces, kept, training = (tmp_path / "artifacts" / n for n in ("ingest", "clean", "balance"))
    for folder in (faces, kept, training):
        folder.mkdir(parents=True)
    labels = (np.arange(40) % 7).astype(np.int8)
    write_images(faces / IMAGES, [np.repeat(labels * 36, 64).reshape(40, 8, 8).astype(np.uint8)])
    table = pd.DataFrame(
        {"row": np.arange(40), "split": ["train"] * 30 + ["val"] * 10, "label": labels}
    )
    table.to_parquet(faces / TABLE)
    table.to_parquet(kept / "kept.parquet")
    table[:30].assign(weight=np.float32(1)).to_parquet(training / "training.parquet")
    return tmp_path


@contextmanager
def running(workspace: Path, *, workers: int) -> Iterator[subprocess.Popen]:
    """Runs the search in a process group of its own, which is gone in the end."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "SEARCH_WORKERS": str(workers),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
    }
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        environment.pop(name, None)
    with (workspace / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.search"],
            cwd=workspace,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(condition: Callable[[], object], process: subprocess.Popen, workspace: Path) -> None:
    while not condition():
        assert process.poll() is None, (workspace / "log").read_text()[-4000:]
        time.sleep(0.05)


def reports(workspace: Path) -> list[str]:
    return sorted(path.stem for path in workspace.glob(".checkpoints/search/*/reports/*.json"))


def trial_runs(workspace: Path) -> list[dict]:
    """The MLflow runs of the trials, each with its parent's step and its metrics."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{workspace / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("mien").experiment_id])
    steps = {run.info.run_id: run.data.tags.get("mien.step") for run in runs}
    return [
        {"parent": steps[run.data.tags["mlflow.parentRunId"]], "metrics": run.data.metrics}
        for run in runs
        if run.info.run_name.startswith("trial ")
    ]


def test_workers_share_the_trials_and_a_dead_one_is_replaced(workspace):
    with running(workspace, workers=2) as team:
        wait_for(lambda: reports(workspace), team, workspace)
        (victim,) = (
            process
            for process in psutil.Process(team.pid).children()
            if process.environ().get("KERASTUNER_TUNER_ID") == "worker1"
        )
        victim.kill()
        assert team.wait() == 0, (workspace / "log").read_text()[-4000:]
    assert "worker1 died with status -9; starting it again" in (workspace / "log").read_text()
    trials = pd.read_csv(workspace / "artifacts" / "search" / "trials.csv")
    assert sorted(trials["trial"]) == list(range(TRIALS))
    runs = trial_runs(workspace)
    assert [run["parent"] for run in runs] == ["search"] * TRIALS
    for run in runs:
        assert {"val_accuracy", "loss", "mmacs", "parameters"} <= run["metrics"].keys()


def test_what_killed_workers_began_one_process_ends(workspace):
    with running(workspace, workers=2) as team:
        wait_for(lambda: reports(workspace), team, workspace)
        os.killpg(team.pid, signal.SIGKILL)
        team.wait()
    done = reports(workspace)
    shutil.move(workspace / "log", workspace / "first.log")
    with running(workspace, workers=1) as alone:
        assert alone.wait() == 0, (workspace / "log").read_text()[-4000:]
    trials = pd.read_csv(workspace / "artifacts" / "search" / "trials.csv")
    assert sorted(trials["trial"]) == list(range(TRIALS))
    again = (workspace / "log").read_text().count(f" of {TRIALS}: validation accuracy")
    assert again <= TRIALS - len(done) + 2  # what the two were at when they were killed


@pytest.fixture
def team_of(monkeypatch):
    """Lets chief and workers run a line of Python in place of the search."""

    def replace(chief: str, worker: str) -> None:
        code = "import os, time\nrole = os.environ['KERASTUNER_TUNER_ID']\n"
        code += f"if role == 'chief':\n    {chief}\nelse:\n    {worker}\n"
        monkeypatch.setattr(search, "STEP", [sys.executable, "-c", code])

    return replace


def test_a_search_whose_workers_keep_dying_ends(team_of, capfd):
    team_of(chief="time.sleep(600)", worker="raise SystemExit(3)")
    assert search.run_team(1) == 1
    assert "worker0 died with status 3 for the last time" in capfd.readouterr().err


def test_a_chief_that_fails_takes_its_workers_along(team_of):
    before = psutil.Process().children()
    team_of(chief="raise SystemExit(7)", worker="time.sleep(600)")
    assert search.run_team(2) == 7
    assert psutil.Process().children() == before


def test_a_worker_that_is_done_is_not_started_again(team_of, tmp_path):
    notes = tmp_path / "notes"
    notes.touch()
    team_of(
        chief=f"while len(open({str(notes)!r}).read().split()) < 2: time.sleep(0.1)\n"
        "    time.sleep(1.5)",  # in which the team is looked at twice
        worker=f"open({str(notes)!r}, 'a').write(role + ' ')",
    )
    assert search.run_team(2) == 0
    assert sorted(notes.read_text().split()) == ["worker0", "worker1"]


def test_a_number_of_workers_that_is_none_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("SEARCH_WORKERS", "two")
    assert search.main() == 1
    assert "SEARCH_WORKERS is 'two'; give a number from 1" in capsys.readouterr().err
