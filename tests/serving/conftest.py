"""A small packaged ensemble, pictures with drawn faces, and the service in its own process."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from components.synthesize import draw_set
from pipelines.mtcnn import convert
from serving.client import Client
from serving.detection import YUNET
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
SIZE = 48


@pytest.fixture(scope="session")
def detectors(tmp_path_factory) -> Path:
    """MTCNN's networks."""
    folder = tmp_path_factory.mktemp("detectors")
    convert(folder)
    return folder


@pytest.fixture(scope="session")
def yunet() -> Path:
    """YuNet's file, where it is present."""
    file = SHARED / "models" / YUNET
    if not file.is_file():
        pytest.skip("YuNet's file is not here")
    return file


@pytest.fixture(scope="session")
def photographs() -> dict[str, np.ndarray]:
    """Two photographs, (H, W, 3) uint8 BGR, with six people in front in each."""
    folder = SHARED / "photos"
    if not folder.is_dir():
        pytest.skip("the photographs are not here")
    return {file.stem: cv2.imread(str(file)) for file in folder.glob("*.jpg")}


@pytest.fixture(scope="session")
def drawn() -> np.ndarray:
    """Drawn faces, (N, 48, 48) uint8, that fill their frame as FER-2013's do."""
    made = draw_set(70, 7)
    return made.pictures[made.kind == ""][1:]  # a bar hides the first one's nose


@pytest.fixture(scope="session")
def crowd(drawn) -> np.ndarray:
    """A picture, (480, 640, 3) uint8 BGR, with four drawn faces of 120 pixels on grey."""
    picture = np.full((480, 640, 3), 128, np.uint8)
    for face, (x, y) in zip(drawn, [(80, 60), (400, 60), (80, 300), (400, 300)], strict=False):
        large = cv2.resize(face, (120, 120), interpolation=cv2.INTER_CUBIC)
        picture[y : y + 120, x : x + 120] = large[..., None]
    return picture


@pytest.fixture(scope="session")
def png(crowd) -> bytes:
    """The crowd as a file."""
    return cv2.imencode(".png", crowd)[1].tobytes()


@pytest.fixture(scope="session")
def video(tmp_path_factory, crowd):
    """Two seconds of the crowd, 10 frames a second, drifting to the right."""
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (640, 480))
    for step in range(20):
        writer.write(np.roll(crowd, 2 * step, axis=1))
    writer.release()
    return path


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Path:
    """A packaged ensemble as `components.package` writes it, whose network is one layer."""
    folder = tmp_path_factory.mktemp("package")
    weights = np.random.default_rng(0).normal(0, 0.002, (SIZE * SIZE, len(CLASSES)))
    nodes = [
        helper.make_node("Cast", ["faces"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["levels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    faces = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", SIZE, SIZE, 1])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(CLASSES)])
    initial = [numpy_helper.from_array(weights.astype(np.float32), "weights")]
    graph = helper.make_graph(nodes, "ensemble", [faces], [answer], initial)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "ensemble.onnx")
    digest = hashlib.sha256((folder / "ensemble.onnx").read_bytes()).hexdigest()
    manifest = {
        "name": "tested",
        "version": digest[:12],
        "onnx_sha256": digest,
        "data_md5": "0" * 32,
        "label_set": "fer2013",
        "classes": CLASSES,
        "input": {"shape": [SIZE, SIZE, 1], "dtype": "uint8"},
        "members": {"layer": 1.0},
        "temperature": 1.0,
        "abstain_below": 0.95,
        "metrics": {"test.accuracy": 0.14},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "MODEL_CARD.md").write_text("# Model card\n")
    return folder


class Service:
    """A running service.

    Attributes:
        address: Where it answers.
        log: What it printed.
        temporary: Its folder for temporary files.
    """

    def __init__(self, address: str, log: Path, temporary: Path) -> None:
        self.address = address
        self.log = log
        self.temporary = temporary
        self.http = httpx.Client(base_url=address, timeout=60)

    def post(self, path: str, body: bytes, kind: str = "application/octet-stream", **options):
        return self.http.post(path, content=body, headers={"Content-Type": kind}, params=options)

    def metric(self, name: str) -> float:
        """A metric's value, such as `mien_pictures_total`."""
        lines = self.http.get("/metrics").text.splitlines()
        found = [line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")]
        return float(found[0]) if found else 0.0

    def is_clean(self) -> bool:
        """Whether no recording is left, which may be so only after the answer has arrived."""
        return not list(self.temporary.glob("mien-*"))

    def lines(self, text: str) -> list[dict]:
        """The log's lines with that text."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if text in line]

    def line(self, answer: httpx.Response) -> dict:
        """The log's line of that request, which is written when the answer has gone."""
        (line,) = until(lambda: self.lines(answer.headers["x-request-id"]))
        return line

    def problem(self, answer: httpx.Response, status: int, kind: str) -> str:
        """Checks that an answer is that problem; returns its detail."""
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert set(body) == {"type", "title", "status", "detail"}
        assert body["type"] == f"urn:mien:{kind}"
        assert "Traceback" not in answer.text
        return body["detail"]


@pytest.fixture(scope="session")
def stored(package, tmp_path_factory) -> tuple[Path, str]:
    """A store of BentoML's that holds the service, and the service's tag in it."""
    home = tmp_path_factory.mktemp("bentoml")
    storing = [sys.executable, "-c", "import sys; from pathlib import Path; "]
    storing[2] += "from pipelines.bento import store; print(store(Path(sys.argv[1])))"
    done = subprocess.run(
        [*storing, str(package)],
        cwd=ROOT,
        env=_environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    return home, done.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def serve(stored, tmp_path_factory):
    """Starts the service as `make serve` does, in processes of its own, with `MIEN_...` set."""
    home, tag = stored

    @contextlib.contextmanager
    def started(**variables: str) -> Iterator[Service]:
        folder = tmp_path_factory.mktemp("service")
        temporary = folder / "tmp"
        temporary.mkdir()
        # BentoML keeps its metrics in its home, and a second service there would empty them.
        own = folder / "bentoml"
        shutil.copytree(home, own, symlinks=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        log = folder / "log"
        process = subprocess.Popen(
            ["bentoml", "serve", tag, "--port", port],
            cwd=folder,
            env=_environment(own) | {"TMPDIR": str(temporary)} | variables,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        running = Service(f"http://127.0.0.1:{port}", log, temporary)
        try:
            until(lambda: _is_ready(running), process, log, seconds=300)
            yield running
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)

    return started


@pytest.fixture(scope="session")
def service(serve):
    """The service, with limits that tests can reach."""
    with serve(
        MIEN_MAX_BYTES=str(2 * 2**20),
        MIEN_MAX_PIXELS="4000000",
        MIEN_MAX_PICTURES="8",
        MIEN_UPLOAD_SILENCE_SECONDS="2",
    ) as running:
        yield running


@pytest.fixture(scope="session")
def client(service):
    with Client(service.address) as asking:
        yield asking


def _environment(home: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "true",
    }


def _is_ready(service: Service) -> bool:
    # BentoML starts a process that failed again, for ever.
    assert "startup failed" not in service.log.read_text(), service.log.read_text()[-4000:]
    try:
        return service.http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
