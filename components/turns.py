"""One at a time: what must not run twice at once takes a turn."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from components.errors import InputError


@contextmanager
def turn(lock: Path, what: str) -> Iterator[TextIO]:
    """Lets one process at a time do something; a process that dies gives its turn back.

    Args:
        lock: File to lock; it may stay.
        what: Is being done, for the others to read.

    Yields:
        The locked file. Processes that inherit it keep the turn for as long as they live.

    Raises:
        InputError: If another process has the turn.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another {what} is at work ({lock} is locked); wait until it is done and run "
                "again."
            ) from None
        yield file
