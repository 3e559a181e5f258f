import json
import logging
from pathlib import Path

import numpy as np
import pytest

from serving.prediction_log import FILES, NAME, PredictionLog, from_environment, open_log

MANIFEST = {"version": "v1", "classes": ["angry", "happy"]}
KEYS = {
    *("time", "model_version", "label", "probabilities", "confidence", "detection_score"),
    *("face_size", "brightness", "contrast", "sharpness", "embedding"),
}


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 48, 48, 1), np.uint8)


def answers(count: int) -> np.ndarray:
    return np.tile(np.array([0.25, 0.75], np.float32), (count, 1))


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / NAME).read_text().splitlines()]


def test_a_line_has_statistics_and_no_pixel(tmp_path, faces):
    log = PredictionLog(tmp_path, MANIFEST, 10**6)
    boxes = np.array([[10.0, 10, 50, 70]])
    log.write(faces[:1], answers(1), np.array([0.9]), boxes)
    (line,) = lines(tmp_path)
    assert set(line) == KEYS
    assert line["label"] == "happy"
    assert line["probabilities"] == {"angry": 0.25, "happy": 0.75}
    assert (line["detection_score"], line["face_size"]) == (0.9, 60.0)
    assert line["brightness"] == pytest.approx(faces[0].mean(), abs=1e-3)
    numbers = sum(len(value) if hasattr(value, "__len__") else 1 for value in line["embedding"])
    assert numbers == 16  # of 2,304 pixels


def test_faces_that_came_cut_out_have_no_detection(tmp_path, faces):
    PredictionLog(tmp_path, MANIFEST, 10**6).write(faces, answers(40))
    assert len(lines(tmp_path)) == 40
    assert {line["detection_score"] for line in lines(tmp_path)} == {None}


def test_it_never_grows_beyond_its_bound_and_keeps_the_newest(tmp_path, faces):
    most = 60_000
    log = PredictionLog(tmp_path, MANIFEST, most)
    for number in range(30):
        log.write(faces, answers(40), np.full(40, number / 100))
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= most
    assert len(list(tmp_path.iterdir())) == FILES
    assert lines(tmp_path)[-1]["detection_score"] == 0.29


def test_a_full_disk_is_said_once_and_answers_go_on(tmp_path, faces, caplog, monkeypatch):
    # A device file that is always full stands for the disk.
    (tmp_path / NAME).symlink_to("/dev/full")
    log = PredictionLog(tmp_path, MANIFEST, 10**12)
    monkeypatch.setattr(logging.getLogger("serving"), "propagate", True)
    log.write(faces, answers(40))
    log.write(faces, answers(40))
    assert [record.getMessage() for record in caplog.records] == [
        "prediction log: [Errno 28] No space left on device; faces go unlogged"
    ]


def test_it_is_off_unless_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("MIEN_PREDICTION_LOG", raising=False)
    assert open_log(from_environment(), MANIFEST) is None
    monkeypatch.setenv("MIEN_PREDICTION_LOG", str(tmp_path / "log"))
    assert isinstance(open_log(from_environment(), MANIFEST), PredictionLog)


def test_the_service_logs_what_it_answers(serve, png, tmp_path, drawn):
    folder = tmp_path / "log"
    with serve(MIEN_PREDICTION_LOG=str(folder)) as service:
        answer = service.post("/faces", png).json()
        array = tmp_path / "crops.npy"
        np.save(array, drawn[:5, ..., None])
        crops = service.post("/crops", array.read_bytes(), "application/x-npy", top_k=1).json()
    logged = lines(folder)  # whole once the service has ended
    assert len(logged) == len(answer["faces"]) + 5
    assert {line["model_version"] for line in logged} == {answer["model_version"]}
    detected = [line for line in logged if line["face_size"]]
    assert sorted(line["label"] for line in detected) == sorted(
        face["label"] for face in answer["faces"]
    )
    largest = max(max(face["box"]["width"], face["box"]["height"]) for face in answer["faces"])
    assert max(line["face_size"] for line in detected) == pytest.approx(largest, abs=0.2)
    own = [line["label"] for line in logged if not line["face_size"]]
    assert own == [crop["label"] for crop in crops["crops"]]
    assert len(logged[-1]["probabilities"]) == 7
