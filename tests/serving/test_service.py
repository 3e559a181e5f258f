"""The service in its own process, asked over HTTP."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from serving.client import Client
from serving.engine import Engine


def encoded(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def test_a_picture_is_answered_the_same_in_every_form(service, png):
    text = base64.b64encode(png).decode()
    answers = [
        service.http.post("/faces", files={"image": ("crowd.png", png)}),
        service.post("/faces", png, "image/png"),
        service.post("/faces", json.dumps({"image": text}).encode(), "application/json"),
        service.post(
            "/faces",
            json.dumps({"image": f"data:image/png;base64,{text}"}).encode(),
            "application/json",
        ),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    faces = [answer.json()["faces"] for answer in answers]
    assert len(faces[0]) == 4
    assert faces == [faces[0]] * 4


def test_the_answer_says_where_what_how_sure_and_by_which_model(client, png, package):
    answer = client.faces(png)
    assert (answer.width, answer.height) == (640, 480)
    assert set(answer.seconds) == {"decode", "detect", "classify"}
    assert answer.model_version == json.loads((package / "manifest.json").read_text())["version"]
    for face in answer.faces:
        assert face.probabilities[face.label] == max(face.probabilities.values())
        assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert face.certain == (face.probabilities[face.label] >= 0.95)
        x, y = face.landmarks["nose"]
        assert face.box.left < x < face.box.left + face.box.width
        assert face.box.top < y < face.box.top + face.box.height


def test_options_narrow_the_answer(client, png):
    assert len(client.faces(png, max_faces=2).faces) == 2
    assert client.faces(png, min_face=300).faces == []
    (face, *_) = client.faces(png, top_k=2).faces
    assert len(face.probabilities) == 2
    assert next(iter(face.probabilities)) == face.label
    straight, turned = client.faces(png), client.faces(png, align="landmarks")
    assert straight.faces[0].box == turned.faces[0].box
    assert straight.faces[0].probabilities != turned.faces[0].probabilities


def test_a_misspelt_option_is_named(service, client, png):
    for name, value in {"topk": 2, "min_face": 1, "align": "eyes"}.items():
        answer = service.post("/faces", png, **{name: value})
        assert name in service.problem(answer, 422, "invalid-option")
    with pytest.raises(ValueError, match="topk"):
        client.faces(png, topk=2)


def test_a_detector_that_was_not_packaged_is_a_problem(service, client, png):
    available = client.model().detectors
    if "yunet" in available:
        pytest.skip("YuNet was packaged")
    detail = service.problem(service.post("/faces", png, detector="yunet"), 422, "invalid-option")
    assert "there is mtcnn" in detail


def test_ready_crops_are_answered_as_the_packaged_graph_answers_them(client, package, drawn):
    faces = drawn[:40, ..., None]
    expected = Engine(package, threads=1).probabilities(faces)
    got = [list(crop.probabilities.values()) for crop in client.crops(faces).crops]
    np.testing.assert_allclose(got, expected, atol=1e-5)
    one = client.predict(encoded(drawn[0]))
    np.testing.assert_allclose(list(one.probabilities.values()), expected[0], atol=1e-5)


def test_crops_may_be_pictures(service, package, drawn):
    files = [("image", (f"{i}.png", encoded(face))) for i, face in enumerate(drawn[:3])]
    crops = service.http.post("/crops", files=files).json()["crops"]
    expected = Engine(package, threads=1).probabilities(drawn[:3, ..., None])
    got = [list(crop["probabilities"].values()) for crop in crops]
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 48, 48), np.float32),
        np.zeros((2, 47, 48), np.uint8),
        np.zeros((0, 48, 48), np.uint8),
        np.zeros(3, np.uint8),
        np.array(0, np.uint8),
        np.array(["a"]),
    ],
)
def test_another_array_is_a_problem(service, array):
    file = io.BytesIO()
    np.save(file, array)
    answer = service.post("/crops", file.getvalue(), "application/x-npy")
    assert answer.status_code in (400, 413)
    service.problem(answer, answer.status_code, answer.json()["type"].removeprefix("urn:mien:"))


def test_a_pickle_is_not_opened(service):
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    answer = service.post("/crops", file.getvalue(), "application/x-npy")
    service.problem(answer, 400, "malformed-request")


def test_in_a_batch_a_broken_picture_does_not_spoil_the_others(client, png):
    first, broken, last = client.batch([png, png[:500], png]).pictures
    assert len(first.faces) == len(last.faces) == 4
    assert broken.type == "urn:mien:unreadable-picture"


def test_the_annotated_picture_is_a_png_with_boxes(client, crowd, png):
    drawn = cv2.imdecode(np.frombuffer(client.annotated(png), np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == crowd.shape
    assert (drawn != crowd).any()
    assert (drawn[230:290, 250:390] == crowd[230:290, 250:390]).all()


def test_a_video_is_answered_frame_by_frame_with_tracks(client, video):
    *frames, end = client.video(video, fps=5)
    assert [frame.seconds for frame in frames] == [pytest.approx(i / 5) for i in range(10)]
    assert end.frames == 10
    assert end.complete
    tracks = {face.track for frame in frames for face in frame.faces}
    assert tracks == {0, 1, 2, 3}


def test_the_model_tells_its_card_and_lineage(client, package):
    model = client.model()
    assert model.card == "# Model card\n"
    assert model.lineage["data_md5"] == "0" * 32
    assert model.input_shape == [48, 48, 1]
    assert model.abstain_below == 0.95


def test_the_service_is_alive_ready_documented_and_has_a_page(service):
    assert service.http.get("/livez").status_code == 200
    assert service.http.get("/readyz").status_code == 200
    document = service.http.get("/openapi.json").json()
    assert set(document["paths"]) >= {"/faces", "/faces/batch", "/crops", "/video", "/model"}
    page = service.http.get("/").text
    assert "An expression is not an emotion" in page
    assert "https://" not in page


def test_metrics_count_faces_doubts_and_rejects(service, client, png):
    names = ["mien_pictures_total", "mien_faces_uncertain_total"]
    names += ['mien_rejected_total{reason="unreadable-picture"}']
    before = [service.metric(name) for name in names]
    uncertain = sum(not face.certain for face in client.faces(png).faces)
    service.post("/faces", b"nothing")
    after = [service.metric(name) for name in names]
    assert np.subtract(after, before).tolist() == [1, uncertain, 1]
    assert "bentoml_service_request_duration_seconds" in service.http.get("/metrics").text


def test_many_clients_at_a_time_get_right_answers_or_are_told_to_come_back(service, drawn):
    faces = drawn[:30]
    with Client(service.address) as alone:
        expected = [list(c.probabilities.values()) for c in alone.crops(faces).crops]

    def ask(index: int) -> bool:
        answer = service.post("/predict", encoded(faces[index % 30]))
        if answer.status_code == 503:
            assert answer.headers["retry-after"] == "1"
            return False
        got = list(answer.json()["probabilities"].values())
        np.testing.assert_allclose(got, expected[index % 30], atol=1e-5)
        return True

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(ask, range(200))) >= 150
