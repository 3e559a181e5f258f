"""What teams of processes on one machine have in common."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from components.errors import InputError


def asked(variable: str) -> int:
    """Returns how many processes an environment variable asks for; one if it is not set.

    Raises:
        InputError: If it is no number from 1.
    """
    text = os.environ.get(variable, "1")
    if not text.isdigit() or int(text) < 1:
        raise InputError(f"{variable} is {text!r}; give a number from 1.")
    return int(text)


def free_port() -> int:
    """Returns a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def ending() -> Iterator[dict[str, subprocess.Popen]]:
    """Yields a table for processes by name, which end with the block or with this one."""
    # As for Ctrl-C: take the team along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    team: dict[str, subprocess.Popen] = {}
    try:
        yield team
    finally:
        for process in team.values():
            process.terminate()
        for process in team.values():
            process.wait()
