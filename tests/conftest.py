"""What tests of several folders share: a clone of the project to run commands in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Clone:
    """A working copy of the project, with stores of its own.

    Attributes:
        path: Its root.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(path),
            "BENTOML_HOME": str(path / "bentoml-home"),
            "BENTOML_DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        # The process that tests run in may itself be a DVC stage or have a tracking server.
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME", "MIEN_MODEL"):
            self._environment.pop(name, None)

    def run(self, *command: str, check: bool = True) -> str:
        """Runs a command in the clone; returns what it printed on both streams."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command} failed:\n{done.stdout[-6000:]}"
        return done.stdout

    def commit(self) -> None:
        """Commits everything."""
        author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        self.run("git", "add", "--all")
        self.run("git", *author, "commit", "--quiet", "--message", "test")

    def start(self, *command: str, log: Path) -> subprocess.Popen:
        """Starts a command in the clone, as the leader of a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=self._environment,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Clone:
    """The project as it would be committed now, in a Git and DVC repository of its own."""
    return cloned(tmp_path_factory.mktemp("clone") / "mien")


@pytest.fixture
def fresh_clone(tmp_path) -> Clone:
    """Another one, which no other test has changed."""
    return cloned(tmp_path / "mien")


def cloned(path: Path) -> Clone:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in files.stdout.splitlines():
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path / name)
    made = Clone(path)
    (path / "dvc.lock").unlink(missing_ok=True)
    made.run("git", "init", "--quiet")
    made.commit()
    return made
