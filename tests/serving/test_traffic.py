"""Requests that take too long, and what requests leave behind."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from benchmarks.serving import Caller
from benchmarks.soak import processes
from serving.traffic import Deadline

MOMENT = 0.1


def ask(app, seconds: float) -> tuple[int, bytes]:
    """Status and body of the answer that `app` gives under a deadline."""
    sent = []

    async def receive() -> dict:
        await asyncio.sleep(10 * MOMENT)
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(Deadline(app, seconds)(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


async def late(scope, receive, send) -> None:
    await Request(scope, receive).body()


def test_an_answer_that_does_not_begin_in_time_is_a_problem():
    status, body = ask(late, MOMENT)
    assert status == 504
    assert json.loads(body)["type"] == "urn:mien:timeout"
    assert "0.1 seconds" in json.loads(body)["detail"]


def test_an_answer_that_has_begun_may_take_its_time():
    async def lines():
        for line in (b"one\n", b"two\n", b"three\n"):
            yield line
            await asyncio.sleep(MOMENT)

    assert ask(StreamingResponse(lines()), MOMENT) == (200, b"one\ntwo\nthree\n")


def test_an_error_of_the_answer_is_not_taken_for_a_deadline():
    async def broken(scope, receive, send) -> Response:
        raise TimeoutError("a socket's")

    with pytest.raises(TimeoutError, match="a socket's"):
        ask(broken, 60)


def test_requests_leave_no_memory_behind(serve):
    # Spans are what is largest of a request; these are made and not sent.
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_SAMPLER_ARG": "0"}
    with serve(**traced) as service:
        running = processes(urlsplit(service.address).port)
        call = Caller(service.address)

        def many() -> int:
            for _ in range(2000):
                assert call("/livez", None, "text/plain")[0] == 200
            return sum(process.memory_info().rss for process in running)

        before = many()
        assert many() - before < 3 * 2**20  # with BentoML's timers it is three times as much
