"""The service in its own process, sent what it cannot answer."""

import contextlib
import socket

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.client import AnswerError
from tests.waiting import until


@pytest.mark.parametrize("path", ["/faces", "/faces/annotated", "/predict", "/crops"])
@pytest.mark.parametrize("cut", [0, 10, 500])
def test_a_cut_picture_is_a_problem(service, png, path, cut):
    detail = service.problem(service.post(path, png[:cut], "image/png"), 400, "unreadable-picture")
    assert "picture" in detail


def test_too_many_pixels_or_bytes_are_refused_before_they_are_read(service):
    bomb = cv2.imencode(".png", np.zeros((2001, 2001), np.uint8))[1].tobytes()
    service.problem(service.post("/faces", bomb), 413, "too-large")
    service.problem(service.post("/faces", b"x" * (2 * 2**20 + 1)), 413, "too-large")


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
    expected = "unsupported-media-type" if status == 415 else "malformed-request"
    service.problem(service.post("/faces", body, kind), status, expected)


def test_several_pictures_where_one_is_expected_are_refused(service, client, png):
    files = [("image", png)] * 2
    service.problem(service.http.post("/faces", files=files), 413, "too-large")
    with pytest.raises(AnswerError, match="1 to 8"):
        client.batch([png[:500]] * 9)


def test_other_addresses_and_methods_are_problems(service):
    service.problem(service.http.get("/nothing"), 404, "not-found")
    service.problem(service.http.get("/faces"), 405, "method-not-allowed")


@pytest.mark.parametrize("share", [0, 0.5, 0.97])
def test_a_cut_video_is_a_problem_or_says_so(service, client, video, tmp_path, share):
    content = video.read_bytes()
    answer = service.post("/video", content[: int(len(content) * share)], "video/mp4")
    service.problem(answer, 400, "unreadable-video")
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
    until(service.is_clean)
    assert len(client.faces(png).faces) == 4


ROUTES = [
    "/faces",
    "/faces/annotated",
    "/faces/batch",
    "/predict",
    "/crops",
    "/video",
    "/video/annotated",
    "/model",
]
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
    if answer.status_code == 200:  # of a batch, each picture has its own problem
        assert path == "/faces/batch"
        assert answer.json()["pictures"][0]["type"] == "urn:mien:unreadable-picture"
    else:
        kind = answer.json()["type"].removeprefix("urn:mien:")
        service.problem(answer, answer.status_code, kind)
        assert answer.status_code < 500


def test_nothing_above_was_unforeseen(service):
    assert service.metric('mien_rejected_total{reason="internal-error"}') == 0
    assert "Traceback" not in service.log.read_text()
