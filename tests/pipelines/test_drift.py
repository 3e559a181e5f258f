"""Logs that the service would write of drawn faces, as they are and changed."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from components import settings
from components.package import reference as describe
from components.synthesize import draw_set
from pipelines import drift
from pipelines.drift_report import write_report
from pipelines.drift_verdict import judge, mix_test, with_distance
from serving.prediction_log import PredictionLog

ROOT = Path(__file__).parents[2]
CLASSES = ("angry", "happy", "neutral")
MANIFEST = {"version": "v1", "classes": list(CLASSES)}
ASKED = settings.load(ROOT / "params.yaml").drift
NUMBERS = ["brightness", "contrast", "sharpness", "embedding_distance"]


def answers(faces: np.ndarray) -> np.ndarray:
    """What a small model says: (N, 3) probabilities that depend on the picture."""
    weights = np.random.default_rng(0).normal(0, 0.002, (48 * 48, 3))
    odds = np.exp(faces.reshape(len(faces), -1) @ weights)
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """1,400 drawn faces, (N, 48, 48) uint8."""
    made = draw_set(1600, 5)
    return made.pictures[made.kind == ""][:1400]


@pytest.fixture(scope="module")
def reference(drawn, tmp_path_factory) -> Path:
    """What `package` writes, of the first 800."""
    faces = drawn[:800]
    table = pd.DataFrame(answers(faces), columns=list(CLASSES)).assign(row=np.arange(len(faces)))
    file = tmp_path_factory.mktemp("package") / "reference.parquet"
    describe(table, faces, CLASSES).assign(model_version="v1").to_parquet(file)
    return file


@pytest.fixture
def log(tmp_path):
    """Writes a log as the service does; returns its folder."""

    def written(faces: np.ndarray, version: str = "v1", **detected: np.ndarray) -> Path:
        writer = PredictionLog(tmp_path / "log", MANIFEST | {"version": version}, 10**8)
        writer.write(faces[..., None], answers(faces), **detected)
        return tmp_path / "log"

    return written


def darker(faces: np.ndarray) -> np.ndarray:
    return (faces * 0.8).astype(np.uint8)


def blurred(faces: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(face, (0, 0), 1) for face in faces])


def masked(faces: np.ndarray) -> np.ndarray:
    covered = faces.copy()
    covered[:, 30:] = 200
    return covered


def run(log: Path, reference: Path, out: Path, capsys) -> tuple[int, str]:
    arguments = [str(log), "--reference", str(reference), "--out", str(out)]
    status = drift.main(arguments)
    said = capsys.readouterr()
    return status, said.out + said.err


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_same_kind_of_faces_raise_no_alarm(log, drawn, reference, tmp_path, capsys):
    status, said = run(log(drawn[800:]), reference, tmp_path / "out", capsys)
    assert status == 0, said
    assert "no alarm" in said
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert verdict["alarm"] is False
    assert (verdict["faces"], verdict["reference_faces"]) == (600, 800)
    assert set(verdict["columns"]) == {"label", "confidence", *NUMBERS}


@pytest.mark.parametrize(
    ("change", "seen"),
    [(darker, "brightness"), (blurred, "sharpness"), (masked, "embedding_distance")],
)
def test_other_faces_raise_an_alarm_that_says_why(
    log, drawn, reference, tmp_path, capsys, change, seen
):
    status, said = run(log(change(drawn[800:])), reference, tmp_path / "out", capsys)
    assert status == drift.ALARM
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert verdict["alarm"] is True
    assert verdict["columns"][seen]["drifted"]
    assert f"{seen:20}DRIFTED" in said


def test_the_report_has_the_verdicts_own_figures_and_needs_no_network(drawn, reference, tmp_path):
    known = pd.read_parquet(reference)
    window = known.sample(300, random_state=1).reset_index(drop=True)
    window["brightness"] += 20
    window, known = with_distance(window, known), with_distance(known, known)
    verdict = judge(window, known, 0.01)
    shown = write_report(window, known, verdict, tmp_path / "report.html")
    assert shown == pytest.approx({k: column["p"] for k, column in verdict["columns"].items()})
    page = (tmp_path / "report.html").read_text()
    assert "<script src=" not in page
    assert "embedding_distance" in page


def test_another_mix_of_answers_is_seen_and_equal_ones_are_no_surprise():
    draw = np.random.default_rng(0)

    def sample(count: int, happy: float) -> pd.Series:
        other = (1 - happy) / 2
        return pd.Series(draw.choice(CLASSES, count, p=[other, happy, other]))

    assert mix_test(sample(400, 0.3), sample(400, 0.5)) < 1e-4
    equal = [mix_test(sample(300, 0.4), sample(300, 0.4)) for _ in range(400)]
    assert 0.02 < np.mean(np.array(equal) < 0.05) < 0.09  # Evidently's own: 0.23


def test_an_earlier_log_as_the_reference_adds_what_the_detector_said(log, drawn, tmp_path, capsys):
    def detected(size: float) -> dict[str, np.ndarray]:
        boxes = np.tile([0.0, 0.0, 1.0, 1.0], (300, 1)) * np.linspace(1, 2, 300)[:, None] * size
        return {"scores": np.linspace(0.8, 1, 300), "boxes": boxes}

    earlier = log(drawn[:300], **detected(50)).rename(tmp_path / "earlier")
    status, said = run(log(drawn[300:600], **detected(25)), earlier, tmp_path / "out", capsys)
    assert status == drift.ALARM
    assert "face_size           DRIFTED" in said
    assert "detection_score     as before" in said


def test_too_few_faces_or_another_model_give_no_verdict(log, drawn, reference, tmp_path, capsys):
    log(drawn[800:950])
    status, said = run(log(drawn[800:], version="v2"), reference, tmp_path / "out", capsys)
    assert status == 1
    assert "the log has 150 faces of model v1 in 24 hours (and lines of v2)" in said
    assert not (tmp_path / "out").exists()


def test_what_is_no_log_is_named(reference, tmp_path, capsys):
    for path in (tmp_path / "nowhere", tmp_path):
        status, said = run(path, reference, tmp_path / "out", capsys)
        assert status == 1
        assert f"{path} has no line of a prediction log" in said
    status, said = run(tmp_path, tmp_path / "none.parquet", tmp_path / "out", capsys)
    assert "none.parquet is missing; `make repro` packages it" in said


def test_lines_that_were_cut_off_are_passed_over(log, drawn):
    folder = log(drawn[:3])
    with (folder / "predictions.jsonl").open("a") as file:
        file.write('{"time": "2026-01-01T00:\n[1]\n\x00\n')
    assert len(drift.read_log(folder)) == 3


def test_only_the_last_hours_are_judged_and_no_more_faces_than_asked(log, drawn):
    table = drift.read_log(log(drawn[:1200]))
    old = pd.date_range("2026-01-01", periods=600, freq="min", tz="UTC")
    new = pd.date_range("2026-01-05", periods=600, freq="min", tz="UTC")
    table["time"] = [time.isoformat() for time in [*old, *new]]
    window = drift.choose(table, "v1", ASKED.model_copy(update={"max_faces": 300}))
    assert len(window) == 300
    assert window["time"].iloc[0] == table["time"].iloc[600]
    assert window["time"].iloc[-1] == table["time"].iloc[1199]
