"""The next champion takes over while the service runs, and no request notices.

MIEN_CHAMPION names the folder that the gate puts the champion into (`components/gate.py`).
Requests under way keep the model that they began with; one that cannot be loaded changes nothing.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from serving.engine import GRAPH, read_manifest

logger = logging.getLogger("serving")
SECONDS = 2.0  # between two looks


def is_whole(package: Path) -> bool:
    """Returns whether a folder holds a package whose graph is the one that its manifest means."""
    try:
        meant = read_manifest(package)["onnx_sha256"]
        return hashlib.sha256((package / GRAPH).read_bytes()).hexdigest() == meant
    except (OSError, ValueError, KeyError):
        return False


class Follower(threading.Thread):
    """Watches a folder and installs each package that comes to lie there.

    Args:
        folder: Where the gate puts the champion; it need not exist yet.
        version: Of the model that answers now.
        install: Loads a package and lets it answer; raises where it cannot.
    """

    def __init__(self, folder: Path, version: str, install: Callable[[Path], None]) -> None:
        super().__init__(name="champion", daemon=True)
        self._folder = folder
        self._version = version
        self._install = install

    def run(self) -> None:
        """Looks, for as long as the process lives."""
        while True:
            time.sleep(SECONDS)
            self.look()

    def look(self) -> None:
        """Installs what lies in the folder, if it is new and whole."""
        try:
            version = read_manifest(self._folder)["version"]
        except (OSError, ValueError, KeyError):  # there is none, or it is being replaced
            return
        if version == self._version or not is_whole(self._folder):
            return
        fields = {"version": version, "before": self._version}
        self._version = version  # also of one that fails, which is not tried again and again
        try:
            self._install(self._folder)
        except Exception:
            logger.exception("the new champion cannot be loaded", extra={"fields": fields})
        else:
            logger.info("champion", extra={"fields": fields})
