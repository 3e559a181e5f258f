"""The next champion takes over while requests come in, and a shadow is asked the same."""

import hashlib
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from components.outputs import replacing
from serving.client import Client
from serving.engine import Engine
from tests.waiting import until


@pytest.fixture
def other(package, tmp_path) -> Path:
    """A package that answers otherwise."""
    folder = shutil.copytree(package, tmp_path / "other")
    graph = onnx.load(folder / "ensemble.onnx")
    (weights,) = graph.graph.initializer
    turned = numpy_helper.to_array(weights)[:, ::-1]
    weights.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(turned), weights.name))
    onnx.save(graph, folder / "ensemble.onnx")
    digest = hashlib.sha256((folder / "ensemble.onnx").read_bytes()).hexdigest()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"version": digest[:12], "onnx_sha256": digest}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def version(package: Path) -> str:
    return json.loads((package / "manifest.json").read_text())["version"]


def put(package: Path, folder: Path) -> None:
    with replacing(folder) as fresh:
        shutil.copytree(package, fresh, dirs_exist_ok=True)


def test_champions_follow_each_other_and_no_request_is_dropped(
    serve, package, other, drawn, tmp_path
):
    folder, faces = tmp_path / "champion", drawn[:8, ..., None]
    packages = {version(one): one for one in (package, other)}
    right = {name: Engine(one, 1).probabilities(faces) for name, one in packages.items()}
    answered, stop = [], threading.Event()

    def ask(address: str) -> None:
        with Client(address) as asking:
            while not stop.is_set():
                answer = asking.crops(faces)
                rows = [list(crop.probabilities.values()) for crop in answer.crops]
                np.testing.assert_allclose(rows, right[answer.model_version], atol=1e-5)
                answered.append(answer.model_version)

    with serve(MIEN_CHAMPION=str(folder)) as running, ThreadPoolExecutor(4) as clients:
        asking = [clients.submit(ask, running.address) for _ in range(4)]
        try:
            until(lambda: answered)
            put(other, folder)
            until(lambda: answered[-1] == version(other))
            cut = shutil.copytree(package, tmp_path / "cut")
            (cut / "ensemble.onnx").write_bytes((package / "ensemble.onnx").read_bytes()[:1000])
            put(cut, folder)
            time.sleep(5)
            assert answered[-1] == version(other)
            put(package, folder)
            until(lambda: answered[-1] == version(package))
        finally:
            stop.set()
        for one in asking:
            one.result()
    assert set(answered) == {version(package), version(other)}


def test_a_service_starts_with_the_champion(serve, other, png):
    with serve(MIEN_CHAMPION=str(other)) as running, Client(running.address) as asking:
        assert asking.model().model_version == version(other)
        assert len(asking.faces(png).faces) == 4


def test_a_shadow_is_counted_and_not_heard(serve, package, other, drawn):
    faces = drawn[:40, ..., None]
    ours, theirs = (Engine(one, 1).probabilities(faces).argmax(1) for one in (package, other))
    with serve(MIEN_SHADOW=str(other)) as running, Client(running.address) as asking:
        answer = asking.crops(faces)
        assert answer.model_version == version(package)
        classes = asking.model().classes
        assert [crop.label for crop in answer.crops] == [classes[label] for label in ours]

        def counted(own: int, shadow: int) -> float:
            names = f'label="{classes[own]}",shadow="{classes[shadow]}"'
            return running.metric(f"mien_shadow_faces_total{{{names}}}")

        pairs = set(zip(ours.tolist(), theirs.tolist(), strict=True))
        until(lambda: sum(counted(*pair) for pair in pairs) == 40)
        for own, shadow in pairs:
            assert counted(own, shadow) == ((ours == own) & (theirs == shadow)).sum()
        said = until(lambda: running.lines('"shadow"'))[-1]
        assert said["version"] == version(other)
        assert (said["faces"], said["agreed"]) == (40, int((ours == theirs).sum()))


def test_a_shadow_that_does_not_fit_is_named_and_the_service_runs(serve, other, png):
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["classes"] = manifest["classes"][::-1]
    (other / "manifest.json").write_text(json.dumps(manifest))
    with serve(MIEN_SHADOW=str(other)) as running, Client(running.address) as asking:
        assert len(asking.faces(png).faces) == 4
        assert "no shadow: classes of" in running.log.read_text()
