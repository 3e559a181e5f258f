"""MLflow late, gone half way, gone at the end, and never there."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from components import gate, settings, tracking
from components.errors import InputError
from components.outages import is_outage

ROOT = Path(__file__).parents[2]
PARAMS = {"train": {"epochs": 2}}


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def address(port, tmp_path, monkeypatch) -> str:
    """Where a server is looked for; there is none yet."""
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    for name in ("DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return address


@pytest.fixture
def start(address, port, empty_store, tmp_path):
    """Starts MLflow's server, again and again on the same store."""
    store = Path(shutil.copy(empty_store, tmp_path / "store.db"))
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{store}"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    running = []

    def started() -> subprocess.Popen:
        server = subprocess.Popen(
            command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
        )
        running.append(server)
        return server

    yield started
    for server in running:
        stop(server)


def stop(server: subprocess.Popen) -> None:
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def test_a_server_that_is_late_is_waited_for_and_one_that_goes_takes_nothing_along(
    start, address, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    server = start()
    (tmp_path / "report.html").write_text("x")
    with tracking.step_run("train small", PARAMS) as run:  # it is not up yet
        run.epoch(1, {"loss": 1.0})
        stop(server)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        run.epoch(2, {"loss": 0.5})
        run.epoch(3, {"loss": 0.4})
        run.metrics({"val.accuracy": 0.9})
        run.artifacts(tmp_path / "report.html")
        own = run.own.info.run_id
    said = capsys.readouterr().err
    assert f"mien train small: MLflow at {address} was out of order (" in said
    assert "not logged: 2 × epoch, metrics, artifacts, 2 × a run's end." in said

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    start()
    client = MlflowClient(address)
    assert [metric.value for metric in client.get_metric_history(own, "loss")] == [1.0]
    with tracking.step_run("train small", PARAMS) as again:
        again.epoch(1, {"loss": 1.0})
        parent = again.parent
    assert client.get_run(own).data.tags["mlflow.parentRunId"] == parent
    assert "out of order" not in capsys.readouterr().err


def test_a_step_without_mlflow_leaves_its_results(address, voted_data, tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "components", "ingest"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "not logged: the run, metrics." in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "artifacts" / "ingest" / "faces.npy").is_file()
    assert (tmp_path / "metrics" / "ingest.json").is_file()


def test_the_gate_needs_mlflow_and_says_so(address):
    with pytest.raises(InputError, match=r"MLflow at http.* is out of order") as caught:
        gate.promote(settings.load(ROOT / "params.yaml"))
    assert "\n" not in str(caught.value)


def test_a_step_that_fails_still_fails_without_mlflow(address, capsys):
    with pytest.raises(ZeroDivisionError), tracking.step_run("train", PARAMS):
        1 / 0  # noqa: B018
    assert "not logged: the run." in capsys.readouterr().err


def test_what_is_wrong_with_a_request_is_no_outage():
    assert is_outage(MlflowException("API request to http://x failed with exception y"))
    assert not is_outage(MlflowException.invalid_parameter_value("a name is too long"))
    assert not is_outage(ValueError("shape"))
    assert not is_outage(urllib.request.URLError("other things than MLflow"))
