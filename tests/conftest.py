"""What tests of several folders share: a clone of the project, and tiny packages."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[1]
# What takes minutes, longest first.
LONG = [
    "test_pipeline",
    "test_retraining",
    "test_retrain",
    "test_study",
    "test_search_with_workers",
    "test_train_with_workers",
    "test_outages",
    "test_train",
    "test_models",
]
# Settings under which a step takes little more than its imports. An epoch is one batch.
TINY = {
    "synthesize.faces": 140,
    "search.trials": 2,
    "search.epochs": 1,
    "search.batch_size": 128,
    "search.input_size": 16,
    "design": {"mini_xception": {"input_size": 48}, "searched": {"input_size": 16}},
    "train.common.epochs": 1,
    "train.common.batch_size": 128,
    "train.members": {
        "mini_xception": {},
        "searched": {"refit": {"epochs": 1, "learning_rate": 0.001, "held_back": 0.5}},
    },
    "ensemble.members": ["mini_xception", "searched"],
    "ensemble.bootstrap": 100,
    "evaluate.mistakes": 3,
    "evaluate.bootstrap": 100,
    "baseline.components": 20,
    "baseline.words": 16,
    "baseline.bootstrap": 100,
}

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets long modules begin first, so that no worker is left alone with one at the end."""
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONG)))


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

    def change(self, settings: dict[str, object]) -> None:
        """Sets keys of params.yaml, whose names have the sections in them, with dots."""
        file = self.path / "params.yaml"
        params = yaml.safe_load(file.read_text())
        for name, value in settings.items():
            *sections, key = name.split(".")
            section = params
            for part in sections:
                section = section[part]
            section[key] = value
        file.write_text(yaml.safe_dump(params, sort_keys=False))

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
    """The project as it would be committed now, but tiny, in a repository of its own."""
    return cloned(tmp_path_factory.mktemp("clone") / "mien")


@pytest.fixture
def fresh_clone(tmp_path) -> Clone:
    """Another one, which no other test has changed."""
    return cloned(tmp_path / "mien")


@pytest.fixture(scope="session")
def make_clone() -> Callable[[Path], Clone]:
    """Makes one in a folder, for tests that share it."""
    return cloned


def cloned(path: Path) -> Clone:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in files.stdout.splitlines():
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path / name)
    made = Clone(path)
    (path / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(path / "serving/released", ignore_errors=True)  # a champion of other data
    made.change(TINY)
    made.run("git", "init", "--quiet")
    made.commit()
    return made


@pytest.fixture(autouse=True)
def no_remembered_store() -> Iterator[None]:
    """MLflow would remember the address that a test had, against the variable of the next."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """An MLflow store with nothing in it, to be copied: to set one up takes seconds."""
    from mlflow.tracking import MlflowClient

    store = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{store}").search_experiments()
    return store


@pytest.fixture
def workplace(tmp_path, empty_store, monkeypatch) -> Path:
    """A folder with settings and an MLflow store of its own; works there."""
    for name in ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "workplace"
    folder.mkdir()
    shutil.copy(empty_store, folder)
    shutil.copy(ROOT / "params.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def make_package(tmp_path_factory) -> Callable[..., Path]:
    """Writes what `package` and `ensemble` leave: a tiny graph, and answers of some skill."""
    labels = np.random.default_rng(0).integers(0, 3, 400)
    hard = np.random.default_rng(1).normal(size=(400, 3))  # the same faces are hard for all

    def make(
        name: str, *, skill: float, test: str = "a" * 64, graph: str = "", data_md5: str = "d"
    ) -> Path:
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        folder = tmp_path_factory.mktemp("package")
        number = int.from_bytes((graph or name).encode()) % 2**32
        weights = np.random.default_rng(number).normal(size=(64, 3)).astype(np.float32)
        nodes = [
            helper.make_node("Cast", ["faces"], ["levels"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["levels"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ]
        ends = [
            [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["n", 8, 8, 1])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])],
            [numpy_helper.from_array(weights, "weights")],
        ]
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(helper.make_graph(nodes, "g", *ends), opset_imports=opset)
        model.ir_version = 8
        onnx.save(model, folder / "ensemble.onnx")
        digest = hashlib.sha256((folder / "ensemble.onnx").read_bytes()).hexdigest()
        classes = ["angry", "happy", "neutral"]
        manifest = {"name": "mien", "version": name, "onnx_sha256": digest, "data_md5": data_md5}
        manifest |= {"test_sha256": test, "label_set": "x", "classes": classes}
        manifest |= {"input": {"shape": [8, 8, 1], "dtype": "uint8"}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "MODEL_CARD.md").write_text("# Model card\n")
        noise = np.random.default_rng(number).normal(size=(400, 3))
        odds = np.exp(0.8 * hard + 0.6 * noise + skill * np.eye(3)[labels])
        answers = pd.DataFrame(odds / odds.sum(axis=1, keepdims=True), columns=classes)
        table = pd.DataFrame({"row": np.arange(400), "split": "test", "label": labels})
        table.join(answers).to_parquet(folder / "predictions.parquet", index=False)
        return folder

    return make
