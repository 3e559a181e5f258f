"""Waiting for what other processes and threads do."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")


def until(
    condition: Callable[[], Found],
    process: subprocess.Popen | None = None,
    log: Path | None = None,
    seconds: float = 180,
) -> Found:
    """Waits until something is so.

    Args:
        condition: Gives something true when it is.
        process: What brings it about, and must not end before that.
        log: Where it writes, shown when it was waited for in vain.
        seconds: How long to wait.

    Returns:
        What the condition gave at last.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        said = log.read_text()[-4000:] if log else ""
        assert process is None or process.poll() is None, f"it ended before that:\n{said}"
        assert time.monotonic() < end, f"not after {seconds} s:\n{said}"
        time.sleep(0.1)
    return found
