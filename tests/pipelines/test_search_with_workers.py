"""The search in real processes: a chief, its workers, and what happens when one dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pandas as pd
import psutil
import pytest

from pipelines import search
from tests.waiting import until

TRIALS = 6
SEARCH = {"trials": TRIALS, "epochs": 1, "batch_size": 8, "max_images": 24, "input_size": 8}


@pytest.fixture
def searching(workspace) -> Callable[[int], AbstractContextManager[subprocess.Popen]]:
    """Runs the search in so many processes."""
    workspace.set(search=SEARCH)
    return lambda workers: workspace.running("pipelines.search", SEARCH_WORKERS=str(workers))


def reports(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob(".checkpoints/search/*/reports/*.json"))


def trial_runs(folder: Path) -> list[dict]:
    """The MLflow runs of the trials, each with its parent's step and its metrics."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("mien").experiment_id])
    steps = {run.info.run_id: run.data.tags.get("mien.step") for run in runs}
    return [
        {"parent": steps[run.data.tags["mlflow.parentRunId"]], "metrics": run.data.metrics}
        for run in runs
        if run.info.run_name.startswith("trial ")
    ]


def test_workers_share_the_trials_and_a_dead_one_is_replaced(workspace, searching):
    with searching(2) as team:
        until(lambda: reports(workspace.path), team, workspace.log)
        (victim,) = (
            process
            for process in psutil.Process(team.pid).children()
            if process.environ().get("KERASTUNER_TUNER_ID") == "worker1"
        )
        victim.kill()
        assert team.wait() == 0, workspace.said()
    assert "worker1 died with status -9; starting it again" in workspace.log.read_text()
    trials = pd.read_csv(workspace.path / "artifacts" / "search" / "trials.csv")
    assert sorted(trials["trial"]) == list(range(TRIALS))
    runs = trial_runs(workspace.path)
    assert [run["parent"] for run in runs] == ["search"] * TRIALS
    for run in runs:
        assert {"val_accuracy", "loss", "mmacs", "parameters"} <= run["metrics"].keys()


def test_what_killed_workers_began_one_process_ends(workspace, searching):
    with searching(2) as team:
        until(lambda: reports(workspace.path), team, workspace.log)
        os.killpg(team.pid, signal.SIGKILL)
        team.wait()
    done = reports(workspace.path)
    workspace.log.unlink()
    with searching(1) as alone:
        assert alone.wait() == 0, workspace.said()
    trials = pd.read_csv(workspace.path / "artifacts" / "search" / "trials.csv")
    assert sorted(trials["trial"]) == list(range(TRIALS))
    again = workspace.log.read_text().count(f" of {TRIALS}: validation accuracy")
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
