"""The service in its own process, asked over HTTP."""

import base64
import contextlib
import io
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from serving.client import AnswerError, Client
from serving.engine import Engine

KINDS = "image/png"


def encoded(picture: np.ndarray, kind: str = "PNG", **options) -> bytes:
    """A file's bytes of (H, W) grey or (H, W, 3) BGR uint8."""
    sink = io.BytesIO()
    Image.fromarray(picture if picture.ndim == 2 else picture[..., ::-1]).save(
        sink, kind, **options
    )
    return sink.getvalue()


@pytest.fixture(scope="module")
def png(crowd) -> bytes:
    return encoded(crowd)


@pytest.fixture(scope="module")
def video(tmp_path_factory, crowd):
    """Two seconds of the crowd, 10 frames a second, drifting to the right."""
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (640, 480))
    for step in range(20):
        writer.write(np.roll(crowd, 2 * step, axis=1))
    writer.release()
    return path


def problem(answer: httpx.Response, status: int, kind: str) -> str:
    """Checks that an answer is that problem; returns its detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["type"] == f"urn:mien:{kind}"
    assert "Traceback" not in answer.text
    return body["detail"]


# --- answers -----------------------------------------------------------------------------


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
        assert face.certain == (face.probabilities[face.label] >= 0.5)
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
    assert "topk" in problem(service.post("/faces", png, topk=2), 422, "invalid-option")
    assert "min_face" in problem(service.post("/faces", png, min_face=1), 422, "invalid-option")
    with pytest.raises(ValueError, match="topk"):
        client.faces(png, topk=2)


def test_a_detector_that_was_not_packaged_is_a_problem(service, client, png):
    available = client.model().detectors
    if "yunet" in available:
        pytest.skip("YuNet was packaged")
    detail = problem(service.post("/faces", png, detector="yunet"), 422, "invalid-option")
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
    problem(answer, answer.status_code, answer.json()["type"].removeprefix("urn:mien:"))


def test_a_pickle_is_not_opened(service):
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    answer = service.post("/crops", file.getvalue(), "application/x-npy")
    problem(answer, 400, "malformed-request")


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
    assert model.abstain_below == 0.5


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


# --- bad input ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/faces", "/faces/annotated", "/predict", "/crops"])
@pytest.mark.parametrize("cut", [0, 10, 500])
def test_a_cut_picture_is_a_problem(service, png, path, cut):
    detail = problem(service.post(path, png[:cut], KINDS), 400, "unreadable-picture")
    assert "picture" in detail


def test_too_many_pixels_or_bytes_are_refused_before_they_are_read(service):
    bomb = encoded(np.zeros((2001, 2001), np.uint8))
    problem(service.post("/faces", bomb), 413, "too-large")
    problem(service.post("/faces", b"x" * (2 * 2**20 + 1)), 413, "too-large")


def test_an_endless_upload_is_answered_and_cut_off(service):
    host, port = service.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as sending:
        head = b"POST /faces HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        sending.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):  # 64 MB, of which 2 are allowed
                sending.sendall(b"10000\r\n" + b"x" * 2**16 + b"\r\n")
            pytest.fail("64 MB were taken")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"hello", 415),
        ("application/vnd.bentoml+pickle", b"cos\nsystem\n(S'true'\ntR.", 415),
        ("application/json", b"{", 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b'{"image": 3}', 400),
        ("application/json", b'{"image": "http://localhost/"}', 400),
        ("application/json", b'{"images": []}', 400),
        ("application/json", b"\xff\xfe", 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n", 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nhttp://x/\r\n--b--\r\n',
            400,
        ),
    ],
)
def test_another_body_is_a_problem(service, kind, body, status):
    answer = service.post("/faces", body, kind)
    problem(answer, status, "unsupported-media-type" if status == 415 else "malformed-request")


def test_several_pictures_where_one_is_expected_are_refused(service, client, png):
    files = [("image", png)] * 2
    problem(service.http.post("/faces", files=files), 413, "too-large")
    with pytest.raises(AnswerError, match="1 to 8"):
        client.batch([png[:500]] * 9)


def test_other_addresses_and_methods_are_problems(service):
    problem(service.http.get("/nothing"), 404, "not-found")
    problem(service.http.get("/faces"), 405, "method-not-allowed")


@pytest.mark.parametrize("share", [0, 0.5, 0.97])
def test_a_cut_video_is_a_problem_or_says_so(service, client, video, tmp_path, share):
    content = video.read_bytes()
    answer = service.post("/video", content[: int(len(content) * share)], "video/mp4")
    problem(answer, 400, "unreadable-video")
    assert not list(service.temporary.glob("mien-*"))


def test_a_client_that_sends_nothing_more_is_told_and_the_next_one_served(service, client, png):
    host, port = service.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as slow:
        head = b"POST /faces HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        slow.sendall(head + b"Content-Length: 1000\r\n\r\n" + png[:100])
        assert len(client.faces(png).faces) == 4
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_clients_that_hang_up_leave_nothing_behind(service, client, png, video):
    host, port = service.address.removeprefix("http://").split(":")
    content = video.read_bytes()
    for path, kind, body in [("/faces", "image/png", png), ("/video", "video/mp4", content)]:
        for sent in (len(body) // 2, len(body)):
            with socket.create_connection((host, int(port)), timeout=30) as gone:
                head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                head += f"Content-Length: {len(body)}\r\n\r\n"
                gone.sendall(head.encode() + body[:sent])
    for _ in range(100):
        if not list(service.temporary.glob("mien-*")):
            break
        time.sleep(0.2)
    assert not list(service.temporary.glob("mien-*"))
    assert len(client.faces(png).faces) == 4


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


ROUTES = ["/faces", "/faces/annotated", "/faces/batch", "/predict", "/crops", "/video", "/model"]
TYPES = ["image/png", "application/json", "application/x-npy", "video/mp4", "text/plain", ""]
TYPES += ["multipart/form-data; boundary=b", "multipart/form-data", "application/octet-stream"]
STARTS = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"\x93NUMPY\x01\x00",
    b"--b\r\n",
    b'{"image":',
]
OPTIONS = ["detector", "min_face", "max_faces", "align", "top_k", "fps", "x"]


@settings(deadline=None, max_examples=150)
@given(
    path=st.sampled_from(ROUTES),
    kind=st.sampled_from(TYPES),
    body=st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary(max_size=200)),
    options=st.dictionaries(st.sampled_from(OPTIONS), st.text(max_size=5) | st.integers()),
)
def test_no_request_makes_the_service_fail(service, path, kind, body, options):
    answer = service.post(path, body, kind, **options)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_above_was_unforeseen(service):
    assert service.metric('mien_rejected_total{reason="internal-error"}') == 0
    assert "Traceback" not in service.log.read_text()
