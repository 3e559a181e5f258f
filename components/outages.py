"""A step whose MLflow does not answer goes on without it, and says at last what was not logged."""

import functools
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import mlflow
import requests
from mlflow.exceptions import MlflowException

from components.errors import InputError

PAUSE = 60.0  # seconds without another try after one that failed
# What MLflow says where a request got no answer, or one that is not about the request.
_CODES = {
    "INTERNAL_ERROR",
    "TEMPORARILY_UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
}
# Half a minute until an answer is given up; MLflow's own limits make ten of it.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "60",
}


def be_patient() -> None:
    """Sets how long MLflow waits for a server, where nobody has said so."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)


def is_outage(error: Exception) -> bool:
    """Returns whether an error says that MLflow's server or store is out of order."""
    if isinstance(error, MlflowException):
        return error.error_code in _CODES
    return isinstance(error, requests.exceptions.RequestException)


class Outage:
    """What could not be logged in one run.

    Attributes:
        lost: How often each kind of thing was not.
    """

    def __init__(self) -> None:
        self.lost: Counter[str] = Counter()
        self._said = ""
        self._next = 0.0

    def attempt(self, what: str, call: Callable[[], Any], *, always: bool = False) -> Any:
        """Calls MLflow, unless it has just failed.

        Args:
            what: Is lost if it fails, such as "metrics".
            call: The call.
            always: Also if it has.

        Returns:
            What the call returns, or None if it failed.
        """
        if time.monotonic() < self._next and not always:
            self.lost[what] += 1
            return None
        try:
            return call()
        except Exception as error:
            if not is_outage(error):
                raise
            self._said = first_line(error)
            self._next = time.monotonic() + PAUSE
            self.lost[what] += 1
            return None

    def give_up(self) -> None:
        """Makes no further attempt."""
        self._next = math.inf

    def tell(self, step: str) -> None:
        """Says on standard error what was lost, if something was."""
        if self.lost:
            things = ", ".join(
                f"{count} × {what}" if count > 1 else what for what, count in self.lost.items()
            )
            print(
                f"mien {step}: MLflow at {mlflow.get_tracking_uri()} was out of order "
                f"({self._said}); not logged: {things}. The step itself has lost nothing.",
                file=sys.stderr,
            )


class Logs(Protocol):
    """Has an outage to attempt things through."""

    outage: Outage


def kept_going(what: str) -> Callable:
    """Makes a method of `Logs` go on where MLflow is out of order.

    Args:
        what: Is lost then.
    """

    def decorate(method: Callable) -> Callable:
        @functools.wraps(method)
        def attempted(self: Logs, *arguments: Any) -> None:
            self.outage.attempt(what, lambda: method(self, *arguments))

        return attempted

    return decorate


@contextmanager
def needed() -> Iterator[None]:
    """Turns an outage into one sentence, where nothing can be done without MLflow.

    Raises:
        InputError: If the block's MLflow is out of order.
    """
    try:
        yield
    except Exception as error:
        if not is_outage(error):
            raise
        raise InputError(
            f"MLflow at {mlflow.get_tracking_uri()} is out of order ({first_line(error)}); see "
            "that it answers, and run again."
        ) from error


def first_line(error: Exception) -> str:
    """Returns the heart of an error that may have many lines."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause).split())[:160]
