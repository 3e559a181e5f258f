"""Traces, where OpenTelemetry's variables ask for them, sent to a collector that listens here."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from serving.client import Client
from tests.waiting import until


class Collector(HTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sent = ExportTraceServiceRequest()
        sent.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in sent.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def collector():
    server = Collector()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def attributes(span) -> dict[str, object]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_request_leaves_a_span_that_says_how_long_each_stage_took(serve, collector, png):
    address = f"http://127.0.0.1:{collector.server_address[1]}"
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with serve(**asked) as running, Client(running.address) as asking:
        answer = asking.faces(png)
        (span,) = until(lambda: [x for x in collector.spans if "mien.faces" in attributes(x)])
    said = attributes(span)
    assert said["mien.faces"] == len(answer.faces) == 4
    for stage in ("decode", "detect", "classify"):
        assert said[f"mien.{stage}_seconds"] == pytest.approx(answer.seconds[stage], abs=1e-3)
    assert not any(face.label in str(said.values()) for face in answer.faces)


def test_without_the_variables_nothing_is_sent(service, collector, client, png):
    client.faces(png)
    time.sleep(1)
    assert collector.spans == []
