"""A folder that a step can run in, in processes of its own, on 8x8 faces."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from components.data.faces import IMAGES, TABLE, write_images

ROOT = Path(__file__).parents[2]


class Workspace:
    """A folder with params.yaml and the artifacts of the steps before `search`.

    Attributes:
        path: The folder.
        log: What its processes said.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "log"
        self.params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        self.set()
        folders = [path / "artifacts" / step for step in ("ingest", "clean", "balance")]
        for folder in folders:
            folder.mkdir(parents=True)
        faces, kept, training = folders
        splits = ["train"] * 30 + ["val"] * 9 + ["test"] * 3
        labels = (np.arange(len(splits)) % 7).astype(np.int8)
        noise = np.random.default_rng(0).integers(0, 60, (len(splits), 8, 8))
        write_images(faces / IMAGES, [(labels[:, None, None] * 30 + noise).astype(np.uint8)])
        table = pd.DataFrame({"row": np.arange(len(splits)), "split": splits, "label": labels})
        table.to_parquet(faces / TABLE)
        table.assign(leaked=False, in_test=False).to_parquet(kept / "kept.parquet")
        table[:30].assign(weight=np.float32(1)).to_parquet(training / "training.parquet")

    def set(self, **sections: dict[str, Any]) -> None:
        """Changes settings of some sections of params.yaml."""
        for name, values in sections.items():
            self.params[name] |= values
        (self.path / "params.yaml").write_text(yaml.safe_dump(self.params), encoding="utf-8")

    @contextmanager
    def running(self, *command: str, **environment: str) -> Iterator[subprocess.Popen]:
        """Runs `python -m COMMAND` in a process group of its own, which is gone in the end."""
        own = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
        given = os.environ | own | environment
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
            given.pop(name, None)
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.path,
                env=given,
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

    def said(self) -> str:
        """Returns the end of the log."""
        return self.log.read_text()[-4000:]


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def make_workspace() -> Callable[[Path], Workspace]:
    """For more than one."""
    return Workspace
