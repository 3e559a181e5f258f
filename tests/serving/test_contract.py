"""The service keeps to its own OpenAPI document, whatever it is asked within or beyond it."""

import cv2
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.app import create_app

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
GREY = cv2.imencode(".png", np.full((60, 80), 128, np.uint8))[1].tobytes()

schemathesis.openapi.media_type("image/*", st.sampled_from([GREY, GREY[:80]]) | st.binary())
schemathesis.openapi.media_type("video/*", st.binary())
schemathesis.openapi.media_type("application/x-npy", st.binary())


DOCUMENT = schemathesis.openapi.from_dict(create_app().openapi())
OPERATIONS = {operation.ok().label: operation.ok() for operation in DOCUMENT.get_all_operations()}


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_that_the_document_has(service, label):
    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=OPERATIONS[label].as_strategy())
    def ask(case):
        case.call_and_validate(base_url=service.address, checks=CHECKS)

    ask()
