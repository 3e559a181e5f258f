"""An eight-class model that answers in seven, and what a seven-class one cannot."""

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient

from components.data.labels import LABEL_SETS
from serving.app import create_app
from serving.engine import read_manifest
from serving.label_sets import places
from serving.limits import Limits
from serving.problems import ProblemError
from serving.recognition import Recogniser

FERPLUS = LABEL_SETS["ferplus"]
# One face each: surely happy, surely contempt, contempt before sad.
TOLD = [{"happiness": 0.96}, {"contempt": 0.97}, {"contempt": 0.5, "sadness": 0.4}]


@pytest.fixture
def ask(package, detectors):
    """Asks a service about three ready crops; its model's answers are those above."""
    answers = np.full((len(TOLD), len(FERPLUS)), 0.0, np.float32)
    for row, told in zip(answers, TOLD, strict=True):
        for label, probability in told.items():
            row[FERPLUS.index(label)] = probability
        row[FERPLUS.index("fear")] = 1 - row.sum()

    async def classify(faces: np.ndarray) -> np.ndarray:
        return answers

    own = {"label_set": "ferplus", "classes": list(FERPLUS), "abstain_below": 0.9}
    manifest = read_manifest(package) | own
    app = create_app()
    app.state.recogniser = Recogniser(package, detectors, manifest, classify, Limits())
    crops = io.BytesIO()
    np.save(crops, np.zeros((len(TOLD), *manifest["input"]["shape"]), np.uint8))

    def asked(**options: str) -> dict:
        answer = TestClient(app).post(
            "/crops",
            content=crops.getvalue(),
            params=options,
            headers={"Content-Type": "application/x-npy"},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asked


def test_without_a_wish_the_labels_are_the_models_own(ask):
    answer = ask()
    assert answer["label_set"] == "ferplus"
    assert [face["label"] for face in answer["crops"]] == ["happiness", "contempt", "contempt"]
    assert [face["certain"] for face in answer["crops"]] == [True, True, False]


def test_fer2013s_labels_leave_out_contempt_and_sum_to_one(ask):
    answer = ask(label_set="fer2013")
    assert answer["label_set"] == "fer2013"
    happy, contempt, sad = answer["crops"]
    assert [face["label"] for face in answer["crops"]] == ["happy", "fear", "sad"]
    for face in answer["crops"]:
        assert tuple(face["probabilities"]) == LABEL_SETS["fer2013"]
        assert sum(face["probabilities"].values()) == pytest.approx(1)
    assert sad["probabilities"]["sad"] == pytest.approx(0.8)
    # Sure of contempt is not sure of what comes next.
    assert (happy["certain"], contempt["certain"], sad["certain"]) == (True, False, False)


def test_what_the_model_does_not_tell_is_a_problem():
    with pytest.raises(ProblemError, match="does not tell contempt"):
        places(LABEL_SETS["fer2013"], "ferplus")


def test_the_service_refuses_labels_that_its_model_does_not_have(service, png, video):
    for path, body in (("/faces", png), ("/predict", png), ("/video", video.read_bytes())):
        answer = service.post(path, body, label_set="ferplus")
        assert "contempt" in service.problem(answer, 422, "invalid-option")
