import hashlib
import json
import subprocess
import sys

import httpx
import pytest

from serving.access import Access, Rate, from_environment, read_keys

ORIGIN = "https://shop.example.org"
KEY = "a key for tests"


@pytest.fixture(scope="module")
def guarded(serve, tmp_path_factory):
    """The service with two keys, three requests a minute for each, and one other site allowed."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    digests = [hashlib.sha256(key.encode()).hexdigest() for key in (KEY, "of somebody else")]
    file.write_text(f"# who may ask\n\nann {digests[0]}\nbob {digests[1]}\n")
    with serve(
        MIEN_KEYS=str(file), MIEN_REQUESTS_PER_MINUTE="3", MIEN_ALLOWED_ORIGINS=ORIGIN
    ) as running:
        yield running


def test_a_caller_may_send_a_minutes_requests_at_once_and_then_one_an_interval():
    rate = Rate(per_minute=4)  # one in 15 seconds
    assert [rate.wait("ann", 100.0) for _ in range(4)] == [0, 0, 0, 0]
    assert rate.wait("ann", 100.0) == 15
    assert rate.wait("ann", 105.0) == 10
    assert rate.wait("bob", 105.0) == 0
    assert rate.wait("ann", 115.0) == 0
    assert rate.wait("ann", 115.0) == 15
    assert [rate.wait("ann", 1000.0) for _ in range(5)] == [0, 0, 0, 0, 15]


def test_a_line_that_is_no_key_is_named(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"ann {'0' * 64}\nbob secret\n")
    with pytest.raises(ValueError, match="line 2: expected NAME SHA-256"):
        read_keys(file)


def test_a_new_key_opens_with_the_line_that_is_printed_for_it(tmp_path):
    command = [sys.executable, "-m", "serving.access", "ann"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    key, line = (text.partition(": ")[2] for text in printed.splitlines())
    file = tmp_path / "keys"
    file.write_text(line)
    assert read_keys(file) == {hashlib.sha256(key.encode()).hexdigest(): "ann"}
    assert len(key) >= 43


def test_variables_say_who_may_ask(monkeypatch):
    assert from_environment() == Access()
    monkeypatch.setenv("MIEN_ALLOWED_ORIGINS", "https://a.example, https://b.example")
    assert from_environment().allowed_origins == ("https://a.example", "https://b.example")
    monkeypatch.setenv("MIEN_REQUESTS_PER_MINUTE", "none")
    with pytest.raises(ValueError, match="requests_per_minute"):
        from_environment()


def test_without_a_key_or_with_an_unknown_one_nothing_is_answered(guarded, png):
    detail = guarded.problem(guarded.post("/faces", png), 401, "unauthorized")
    assert "Authorization: Bearer" in detail
    assert guarded.post("/faces", png).headers["www-authenticate"] == "Bearer"
    for headers in ({"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}):
        answer = guarded.http.get("/model", headers=headers)
        guarded.problem(answer, 403, "forbidden")
    assert "wrong" not in guarded.log.read_text()


def test_the_page_its_description_and_the_probes_are_open(guarded):
    for path in ("/", "/page/main.js", "/openapi.json", "/livez", "/readyz", "/metrics"):
        assert guarded.http.get(path).status_code == 200


def test_a_key_has_its_own_rate_and_is_told_when_to_come_back(guarded):
    mine = {"Authorization": f"Bearer {KEY}"}
    answers = [guarded.http.get("/model", headers=mine) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    guarded.problem(answers[-1], 429, "too-many-requests")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    other = guarded.http.get("/model", headers={"X-API-Key": "of somebody else"})
    assert other.status_code == 200


def test_only_the_allowed_site_may_ask_from_its_pages(guarded, service):
    def preflight(running, origin: str) -> httpx.Response:
        asked = {"Access-Control-Request-Method": "POST", "Origin": origin}
        asked["Access-Control-Request-Headers"] = "authorization"
        return running.http.options("/faces", headers=asked)

    allowed = preflight(guarded, ORIGIN)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    other = preflight(guarded, "https://elsewhere.example.org")
    assert "access-control-allow-origin" not in other.headers
    closed = preflight(service, ORIGIN)
    assert "access-control-allow-origin" not in closed.headers
    refused = guarded.http.get("/model", headers={"Origin": ORIGIN})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == ORIGIN  # so that the page can read it


def test_the_log_has_a_line_of_json_a_request_with_the_callers_name(guarded, png):
    nobody = guarded.post("/faces", png, "image/png")
    ann = guarded.http.get("/model", headers={"X-API-Key": KEY})
    line = guarded.line(nobody)
    assert (line["method"], line["path"], line["status"]) == ("POST", "/faces", 401)
    assert line["caller"] is None
    assert guarded.line(ann)["caller"] == "ann"
    assert "127.0.0.1" not in json.dumps(line)
    assert KEY not in guarded.log.read_text()
