"""The loop in a repository whose only stage takes a package that lies ready.

All else is real: Git and DVC with their remotes, MLflow's store, the gate, BentoML. A loop takes
half a minute, so each test goes on where the one before it ended.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
import yaml
from mlflow.tracking import MlflowClient

from tests.waiting import until

REFUSED = 3
PASSWORD = "hunter2hunter2"
# Which of the packages, or what goes wrong, is said by `train.common.epochs`.
STAGE = """
import shutil, sys, time
from pathlib import Path
from components import settings

params = settings.load(Path("params.yaml"))
epochs = params.train.common.epochs
if epochs == 99:
    Path(".dvc/tmp/started").touch()
    time.sleep(600)
if epochs == 98:
    sys.exit("out of memory")
from components import metrics, tracking
from components.registry import FILES
from tests.waiting import until

package = Path("artifacts/package")
shutil.rmtree(package, ignore_errors=True)
shutil.copytree({packages!r}[epochs], package)
with tracking.step_run("package", params.model_dump()) as run:
    run.artifacts(*(package / file for file in FILES))
    run.register(package)
metrics.write(Path("metrics/ensemble.json"), {{"test.accuracy": epochs / 100}})
Path("plots").mkdir(exist_ok=True)
Path("plots/models.csv").write_text(f"model,accuracy\\nensemble,{{epochs / 100}}\\n")
"""
PLAN = {
    "stages": {
        "package": {
            "cmd": "python stage.py",
            "deps": ["data"],
            "params": ["train"],
            "outs": ["artifacts/package", "plots/models.csv"],
            "metrics": [{"metrics/ensemble.json": {"cache": False}}],
        }
    },
    "plots": [{"models": {"x": "accuracy", "y": {"plots/models.csv": "model"}}}],
}


class Project:
    """A clone with a Git remote and a DVC remote, where retraining takes seconds."""

    def __init__(self, clone, folder: Path) -> None:
        self.clone = clone
        self.path = clone.path
        self.folder = folder
        self.origin = str(folder / "origin.git")
        self.source = folder / "source"  # what data/ is imported from
        self.said = ""

    def train(self, epochs: int) -> None:
        """Changes the setting that the model depends on, and commits."""
        self.clone.change({"train.common.epochs": epochs, "promote.max_ece": 1.0})
        self.clone.commit()

    def start(self, *arguments: str, **variables: str) -> tuple[subprocess.Popen, Path]:
        log = self.folder / f"log{len(list(self.folder.glob('log*')))}"
        setting = [f"{name}={value}" for name, value in variables.items()]
        command = ["env", *setting, "python", "-m", "pipelines.retrain", *arguments]
        return self.clone.start(*command, log=log), log

    def start_and_hang(self) -> tuple[subprocess.Popen, list[psutil.Process]]:
        """Starts one whose stage never ends; returns it and the processes below it."""
        started = self.path / ".dvc/tmp/started"
        started.unlink(missing_ok=True)
        process, log = self.start()
        until(started.exists, process, log)
        return process, psutil.Process(process.pid).children(recursive=True)

    def retrain(self, *arguments: str, **variables: str) -> int:
        """Returns the exit status; what was printed is `said`."""
        process, log = self.start(*arguments, **variables)
        status = process.wait()
        self.said = log.read_text()
        return status

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.path / 'mlflow.db'}")

    def aliases(self) -> dict[str, str]:
        aliases = self.client.get_registered_model("mien").aliases
        return {alias: str(version) for alias, version in aliases.items()}

    @property
    def outcome(self) -> dict[str, str]:
        return json.loads((self.path / "artifacts/retrain/outcome.json").read_text())

    @property
    def report(self) -> str:
        return (self.path / "artifacts/retrain/report.md").read_text()

    def pushed(self) -> str:
        """The commit that the Git remote has."""
        return self.clone.run("git", "ls-remote", "origin", "refs/heads/main").split()[0]


@pytest.fixture(scope="module")
def project(tmp_path_factory, make_clone, make_package) -> Project:
    """A project that has pushed its first commit and has trained nothing yet."""
    folder = tmp_path_factory.mktemp("retrain")
    packages = {}
    for epochs, skill in {10: 1.5, 20: 2.0, 30: 2.5}.items():
        package = make_package(str(epochs), skill=skill)
        (package / "MODEL_CARD.md").write_text("# card\n")
        packages[epochs] = str(package)
    made = Project(make_clone(folder / "mien"), folder)
    (made.path / "stage.py").write_text(STAGE.format(packages=packages))
    (made.path / "dvc.yaml").write_text(yaml.safe_dump(PLAN, sort_keys=False))
    shutil.rmtree(made.path / "metrics")
    (made.path / "data.dvc").unlink()
    made.source.mkdir()
    (made.source / "faces.csv").write_text("1\n")
    run = made.clone.run
    run("dvc", "import-url", "--quiet", str(made.source), "data")
    run("dvc", "remote", "add", "--quiet", "--default", "store", str(folder / "store"))
    run("git", "branch", "-M", "main")
    run("git", "config", "user.name", "test")
    run("git", "config", "user.email", "test@example.org")
    run("git", "init", "--quiet", "--bare", made.origin)
    run("git", "remote", "add", "origin", made.origin)
    made.train(20)
    run("git", "push", "--quiet", "--set-upstream", "origin", "main")
    return made


def test_a_report_alone_moves_no_champion(project):
    address = "https://example.org/run/7/"
    assert project.retrain("--report", "--pictures", address) == 0, project.said
    assert project.aliases() == {"challenger": "1"}
    assert project.report.startswith("# Retrained: reported")
    assert f"![models.png]({address}models.png)" in project.report


def test_the_first_one_is_promoted_and_pushed_whole(project):
    before = project.pushed()
    assert project.retrain("--push", "--because", "it is the first") == 0, project.said
    assert project.aliases()["champion"] == "1"
    assert project.outcome["verdict"] == "promoted"
    assert project.outcome["bento"] in project.clone.run("bentoml", "list")
    assert project.pushed() != before
    other = project.folder / "elsewhere"
    project.clone.run("git", "clone", "--quiet", "-b", "main", project.origin, str(other))
    subject = project.clone.run("git", "-C", str(other), "log", "-1", "--format=%s")
    assert subject.strip() == "Retrain: it is the first"
    project.clone.run("dvc", "--cd", str(other), "pull", "--quiet")
    assert (other / "artifacts/package/ensemble.onnx").is_file()


def test_of_two_at_once_the_second_is_told(project):
    project.train(99)
    first, below = project.start_and_hang()
    assert project.retrain() == 1
    assert project.said.startswith("mien retrain: another retraining is at work (")
    assert project.said.count("\n") == 1
    os.kill(first.pid, signal.SIGTERM)
    assert first.wait(60) == 128 + signal.SIGTERM
    psutil.wait_procs(below, timeout=30)
    assert not any(process.is_running() for process in below)


def test_while_a_part_of_a_killed_one_still_works_no_other_starts(project):
    first, below = project.start_and_hang()
    first.kill()
    first.wait()
    assert project.retrain() == 1
    assert "another retraining is at work" in project.said
    for process in below:
        process.kill()
    psutil.wait_procs(below, timeout=30)
    assert project.aliases()["champion"] == "1"


def test_a_stage_that_fails_is_named_and_the_champion_stays(project):
    project.train(98)
    assert project.retrain("--push") == 1
    assert "out of memory" in project.said
    assert "mien retrain: `dvc repro` failed, see above; mend that and run again" in project.said
    assert project.aliases()["champion"] == "1"


def test_what_cannot_be_compared_or_pushed_is_said_before_anything_runs(project):
    assert project.retrain("--against", "nowhere") == 1
    assert "there is no revision 'nowhere' here" in project.said
    (project.path / "params.yaml").open("a").write("# changed\n")
    assert project.retrain("--push") == 1
    assert "--push would leave changes behind" in project.said
    assert "Running stage" not in project.said


def test_after_all_that_an_improvement_on_new_data_is_promoted(project):
    (project.source / "faces.csv").write_text("2\n")
    project.train(30)
    first = project.clone.run("git", "rev-parse", "origin/main").strip()
    assert project.retrain("--push", "--update", "--against", first) == 0, project.said
    assert (project.path / "data/faces.csv").read_text() == "2\n"
    assert "data.dvc" in project.clone.run("git", "show", "--stat", "origin/main~1")
    assert project.aliases() == {"challenger": "2", "champion": "2", "previous": "1"}
    assert project.report.startswith("# Retrained: promoted")
    assert "| against the champion | yes |" in project.report
    assert "| accuracy, published split | 0.2 | 0.3 | +0.1 |" in project.report
    assert re.search(r"train.common.epochs +\| 20 +\| 30 ", project.report)
    assert re.search(r"Data: md5 `\w+.dir`, before `\w+.dir`", project.report)
    assert (project.path / "artifacts/retrain/models.png").stat().st_size > 5000


def test_a_regression_is_refused_and_not_pushed(project):
    pushed = project.pushed()
    project.train(10)
    assert project.retrain("--push") == REFUSED, project.said
    assert project.aliases() == {"challenger": "3", "champion": "2", "previous": "1"}
    assert project.pushed() == pushed
    assert project.report.startswith("# Retrained: refused")
    assert "| against the champion | **no** |" in project.report
    assert not project.outcome["bento"]


def test_what_is_champion_already_is_not_judged_and_a_failed_push_tells_no_secret(project):
    address = f"https://somebody:{PASSWORD}@localhost:9/mien.git"
    project.clone.run("git", "remote", "set-url", "--push", "origin", address)
    project.train(30)
    assert project.retrain("--push") == 1
    assert "Running stage" not in project.said
    assert project.outcome["verdict"] == "champion already"
    assert "`git push` failed" in project.said
    assert PASSWORD not in project.said + project.report


def test_what_dvc_restores_is_judged_and_not_what_was_packaged_last(project):
    project.client.set_registered_model_alias("mien", "challenger", "1")  # as an experiment does
    project.train(10)
    assert project.retrain() == REFUSED, project.said
    assert project.aliases() == {"challenger": "3", "champion": "2", "previous": "1"}


def test_what_was_rolled_back_does_not_come_back(project):
    project.clone.run("python", "-m", "components", "rollback")
    project.train(30)
    assert project.retrain() == REFUSED, project.said
    assert project.outcome["verdict"] == "rolled back"
    assert project.aliases()["champion"] == "1"


def test_a_server_that_is_down_is_named_without_its_password(project):
    address = f"http://somebody:{PASSWORD}@127.0.0.1:9"
    asked = {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    assert project.retrain(**asked) == 1
    assert "mien retrain: MLflow did not do what was asked" in project.said
    assert PASSWORD not in project.said
    assert project.retrain(MLFLOW_TRACKING_URI="") == 1
    assert "MLFLOW_TRACKING_URI is empty" in project.said
