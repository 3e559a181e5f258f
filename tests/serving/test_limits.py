import pytest
from pydantic import ValidationError

from serving.limits import Limits, from_environment


def test_a_variable_changes_its_limit_and_no_other(monkeypatch):
    monkeypatch.setenv("MIEN_MAX_PICTURES", "3")
    assert from_environment() == Limits(max_pictures=3)


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_limit_must_be_a_positive_number(monkeypatch, value):
    monkeypatch.setenv("MIEN_MAX_BYTES", value)
    with pytest.raises(ValidationError, match="max_bytes"):
        from_environment()
